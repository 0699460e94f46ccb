"""Studies: many models of slices of one data set, audited alike, and the curve that comes of them."""
