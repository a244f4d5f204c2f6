# A paused pool neither grows nor shrinks; a drained one ends what is idle and launches nothing.
pool linux idle=0 own-idle=2 limit=10 idle-time=2m boot=40s
run 2m
pause linux
jobs linux 5 lasting=1m
run 10m
summary linux
resume linux
run 3m
summary linux
drain linux
run 3m
summary linux
