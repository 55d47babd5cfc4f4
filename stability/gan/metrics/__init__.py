"""The metrics of a visit: classifiers and the features they describe samples by, FID, modes, precision."""
