"""What carries cohorts to where they are trained: processes of this machine, Ray, or Slurm."""
