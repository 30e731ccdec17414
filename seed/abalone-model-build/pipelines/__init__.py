"""The scripts that run inside the SageMaker jobs, one folder per use."""
