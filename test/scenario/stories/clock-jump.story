# The clock jumps two hours ahead: idle machines look old, but nothing ends before one IdleTime has passed.
pool linux idle=0 limit=10 idle-time=10m boot=40s
jobs linux 3 lasting=1m
run 4m
jump 2h freeze=10m
run 5m
summary linux
run 10m
summary linux
