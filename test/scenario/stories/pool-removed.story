# A reload takes a pool out of the file: its idle machines end, the one with a job when that is over.
pool linux idle=0 limit=10 idle-time=10m boot=40s
pool arm idle=0 own-idle=2 limit=10 idle-time=10m boot=40s
run 2m
jobs arm 1 lasting=5m
run 30s
remove arm
run 10m
summary arm
