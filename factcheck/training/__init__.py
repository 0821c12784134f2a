"""Lightning modules and data modules: verdict training, photo pre-training, calibration."""
