"""The figures. They compute nothing: finished estimates, points and curves in, matplotlib figures out."""
