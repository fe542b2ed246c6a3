"""Three games of PufferLib's, written again as kernels: the distance to hand-written C."""
