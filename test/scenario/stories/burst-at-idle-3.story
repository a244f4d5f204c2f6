# Thirty jobs at once with IdleCount 3, machines handed on demand (the runner's IdleCount is 0, ours is 3).
# The first three start at once, all others after one boot, by one launch call.
concurrent 50
pool linux idle=0 own-idle=3 limit=40 idle-time=10m boot=40s
run 2m
jobs linux 30 lasting=1m
run 3m
summary linux
run 20m
summary linux
