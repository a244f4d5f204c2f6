# A new AMI with ten idle machines and two jobs: replaced one by one, busy ones when their job ends, nine of ten stand at any time.
pool linux idle=0 own-idle=10 limit=20 idle-time=30m boot=40s max-builds=1 spec=old
run 2m
jobs linux 2 lasting=8m
run 1m
pool linux idle=0 own-idle=10 limit=20 idle-time=30m boot=40s max-builds=1 spec=new
run 20m
summary linux
