"""What the heads of R-CNN compute on the device, for all images at once, without asking it anything."""
