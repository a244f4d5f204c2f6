# The same burst with the runner's own IdleCount 3: it claims only with a machine in hand, so the reserve must double.
concurrent 50
pool linux idle=3 limit=40 idle-time=10m boot=40s
run 2m
jobs linux 30 lasting=1m
run 5m
summary linux
