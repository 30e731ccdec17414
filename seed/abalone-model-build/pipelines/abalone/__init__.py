"""Predicts the age of abalones: preprocess, evaluate, inference."""
