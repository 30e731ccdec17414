"""The pipeline as a Python package with two commands: `get-pipeline-definition` and `run-pipeline`."""
from setuptools import find_packages, setup

setup(
    name="pipelines",
    version="0.1.0",
    description="Builds a model that tells the age of abalones",
    packages=find_packages(include=["pipelines", "pipelines.*"]),
    package_data={"pipelines": ["sagemaker-config.yaml"]},
    python_requires=">=3.9",
    # The third generation of the SDK has other classes.
    install_requires=["sagemaker>=2.220,<3"],
    entry_points={
        "console_scripts": [
            "get-pipeline-definition=pipelines.get_pipeline_definition:main",
            "run-pipeline=pipelines.run_pipeline:main",
        ]
    },
)
