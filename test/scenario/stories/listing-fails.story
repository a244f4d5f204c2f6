# EC2 cannot be listed for an hour: launches go on against the store, nothing ends; afterwards the idle ones go.
pool linux idle=0 own-idle=1 limit=40 idle-time=5m boot=40s
run 2m
listing failed
jobs linux 4 lasting=1m
run 1h
summary linux
listing fresh
run 3m
summary linux
