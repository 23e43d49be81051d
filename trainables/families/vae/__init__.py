"""`vae`: convolutional variational autoencoders, fitted on images, sampled from the prior."""
