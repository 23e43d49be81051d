"""Images by a convolutional variational autoencoder."""
