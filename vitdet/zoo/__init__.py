"""Checks the configs that mmdet and mmseg ship: does each build, train a step and predict?"""
