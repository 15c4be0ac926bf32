"""What the heads of R-CNN compute for all images at once, without asking the device for values."""
