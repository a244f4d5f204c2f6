# A burst of 200 at IdleCount 10, limit 250, no queue in sight: at most six boots of growth (240 s), not twenty.
concurrent 300
pool linux idle=10 limit=250 idle-time=10m boot=40s
run 2m
jobs linux 200 lasting=30m
run 6m
summary linux
# At rest the reserve halves again.
run 2h
summary linux
