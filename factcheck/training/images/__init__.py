"""Pre-training of image encoders for copy detection: Lightning module and data, augmentation."""
