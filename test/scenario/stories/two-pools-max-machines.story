# max_machines 6 over two pools: jobs before idle machines, the oldest job first.
# What one pool holds idle makes room for the other when its IdleTime is over.
max-machines 6
pool big idle=0 own-idle=5 limit=20 idle-time=10m boot=40s
pool small idle=0 limit=20 idle-time=10m boot=40s
jobs small 4 lasting=2m
run 1m
jobs big 4 lasting=2m
run 20m
summary big
summary small
