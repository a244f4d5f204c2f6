# No capacity for ten minutes while jobs wait: tries one to three minutes apart, then all at once when it comes back.
pool linux idle=0 limit=40 idle-time=10m boot=40s
capacity out
jobs linux 8 lasting=1m
run 10m
capacity back
run 5m
summary linux
