"""Training of the verdict model: Lightning module and data, augmentation, losses, prediction, checkpoints."""
