"""Study -> plan -> cohorts -> store, and on from where it stopped."""
