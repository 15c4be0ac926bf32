"""Annotations in any common format, read into one form: COCO's."""
