# A reload lowers the limit below what stands idle: the idle ones beyond it go at once, jobs go on.
pool linux idle=0 own-idle=8 limit=20 idle-time=30m boot=40s
run 2m
jobs linux 3 lasting=10m
run 1m
pool linux idle=0 own-idle=8 limit=5 idle-time=30m boot=40s
run 2m
summary linux
