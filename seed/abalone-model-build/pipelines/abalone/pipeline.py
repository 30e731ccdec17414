"""The SageMaker pipeline: preprocess, train, evaluate, and register what is good enough.

    PreprocessAbaloneData -> TrainAbaloneModel -> EvaluateAbaloneModel -> CheckMSEAbaloneEvaluation
                                                                            -> RegisterAbaloneModel-RegisterModel
                                                                            -> AbaloneModelTooBad (the execution fails)

Everything an execution writes lies below its own id, so no later execution overwrites what a model version cites.
"""
import os

import boto3
import sagemaker
from sagemaker import image_uris
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.model import Model
from sagemaker.model_metrics import MetricsSource, ModelMetrics
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionLessThanOrEqualTo
from sagemaker.workflow.execution_variables import ExecutionVariables
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import CacheConfig, ProcessingStep, TrainingStep

HERE = os.path.dirname(os.path.realpath(__file__))
DATA_URL = "{{ data_url }}"
XGBOOST, SKLEARN = "1.7-1", "1.2-1"
# A step whose arguments and code are those of an earlier success is not run again for so long.
CACHE = CacheConfig(enable_caching=True, expire_after="P30D")
BASE = "/opt/ml/processing"


def get_pipeline_custom_tags(new_tags, region, sagemaker_project_arn=None):
    """The given tags and the project's own."""
    try:
        client = boto3.client("sagemaker", region_name=region)
        own = client.list_tags(ResourceArn=sagemaker_project_arn)["Tags"]
    except Exception as error:  # pylint: disable=broad-except
        print("no tags of the project: %s" % error)
        return new_tags
    return new_tags + [tag for tag in own if tag["Key"] not in {one["Key"] for one in new_tags}]


def parameters():
    """What can be changed when the pipeline is started."""
    return {
        "processing_instance_type": ParameterString("ProcessingInstanceType", default_value="ml.m5.xlarge"),
        "processing_instance_count": ParameterInteger("ProcessingInstanceCount", default_value=1),
        "training_instance_type": ParameterString("TrainingInstanceType", default_value="ml.m5.xlarge"),
        "approval_status": ParameterString("ModelApprovalStatus", default_value="PendingManualApproval"),
        "data_url": ParameterString("InputDataUrl", default_value=DATA_URL),
        "mse_threshold": ParameterFloat("MseThreshold", default_value=6.0),
        "seed": ParameterInteger("Seed", default_value=1),
    }


class Builder:
    """Makes the steps of one pipeline."""

    def __init__(self, session, role, bucket, prefix, given):
        self.session, self.role, self.prefix, self.given = session, role, prefix, given
        self.run_prefix = ["s3:/", bucket, prefix, ExecutionVariables.PIPELINE_EXECUTION_ID]
        self.xgboost = image_uris.retrieve("xgboost", session.boto_region_name, version=XGBOOST)

    def output(self, step, name):
        """An output of a processing step, below the execution's own prefix."""
        where = Join(on="/", values=self.run_prefix + [step, name])
        return ProcessingOutput(output_name=name, source="%s/%s" % (BASE, name), destination=where)

    def preprocess(self):
        processor = SKLearnProcessor(
            framework_version=SKLEARN,
            instance_type=self.given["processing_instance_type"],
            instance_count=self.given["processing_instance_count"],
            base_job_name="%s/preprocess" % self.prefix,
            role=self.role,
            sagemaker_session=self.session,
        )
        names = ["train", "validation", "test", "heldout", "transformers"]
        return ProcessingStep(
            name="PreprocessAbaloneData",
            step_args=processor.run(
                code=os.path.join(HERE, "preprocess.py"),
                arguments=["--seed", self.given["seed"].to_string()],
                inputs=[
                    ProcessingInput(
                        input_name="raw", source=self.given["data_url"], destination="%s/input/raw" % BASE
                    )
                ],
                outputs=[self.output("preprocess", name) for name in names],
            ),
            cache_config=CACHE,
        )

    def train(self, preprocess):
        estimator = Estimator(
            image_uri=self.xgboost,
            instance_type=self.given["training_instance_type"],
            instance_count=1,
            output_path=Join(on="/", values=self.run_prefix + ["train"]),
            base_job_name="%s/train" % self.prefix,
            role=self.role,
            sagemaker_session=self.session,
        )
        estimator.set_hyperparameters(
            objective="reg:squarederror",
            num_round=50,
            max_depth=5,
            eta=0.2,
            gamma=4,
            min_child_weight=6,
            subsample=0.7,
            seed=1,
        )
        channels = {
            name: TrainingInput(s3_data=uri_of(preprocess, name), content_type="text/csv")
            for name in ("train", "validation")
        }
        return TrainingStep(name="TrainAbaloneModel", step_args=estimator.fit(inputs=channels), cache_config=CACHE)

    def evaluate(self, preprocess, train, report):
        processor = ScriptProcessor(
            image_uri=self.xgboost,
            command=["python3"],
            instance_type=self.given["processing_instance_type"],
            instance_count=1,
            base_job_name="%s/evaluate" % self.prefix,
            role=self.role,
            sagemaker_session=self.session,
        )
        sources = {
            "model": train.properties.ModelArtifacts.S3ModelArtifacts,
            "test": uri_of(preprocess, "test"),
            "heldout": uri_of(preprocess, "heldout"),
            "transformers": uri_of(preprocess, "transformers"),
            "inference": os.path.join(HERE, "inference.py"),
        }
        inputs = [
            ProcessingInput(input_name=name, source=source, destination="%s/input/%s" % (BASE, name))
            for name, source in sources.items()
        ]
        return ProcessingStep(
            name="EvaluateAbaloneModel",
            step_args=processor.run(
                code=os.path.join(HERE, "evaluate.py"),
                inputs=inputs,
                outputs=[self.output("evaluate", "evaluation"), self.output("evaluate", "packed")],
            ),
            property_files=[report],
            cache_config=CACHE,
        )

    def register(self, preprocess, evaluate, group):
        # The archive that evaluate packed, not the training job's: it scores raw rows.
        model = Model(
            image_uri=self.xgboost,
            model_data=Join(on="/", values=[uri_of(evaluate, "packed"), "model.tar.gz"]),
            env={
                "SAGEMAKER_PROGRAM": "inference.py",
                "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
                "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
            },
            role=self.role,
            sagemaker_session=self.session,
        )
        statistics = MetricsSource(
            s3_uri=Join(on="/", values=[uri_of(evaluate, "evaluation"), "evaluation.json"]),
            content_type="application/json",
        )
        step_args = model.register(
            content_types=["text/csv"],
            response_types=["text/csv", "application/json"],
            inference_instances=["ml.t2.medium", "ml.m5.large"],
            transform_instances=["ml.m5.large"],
            model_package_group_name=group,
            approval_status=self.given["approval_status"],
            model_metrics=ModelMetrics(model_statistics=statistics),
            customer_metadata_properties={
                "heldout-uri": Join(on="/", values=[uri_of(preprocess, "heldout"), "heldout.csv"]),
                "execution": ExecutionVariables.PIPELINE_EXECUTION_ARN,
            },
        )
        return ModelStep(name="RegisterAbaloneModel", step_args=step_args)


def uri_of(step, output):
    """Where a processing step puts one of its outputs."""
    return step.properties.ProcessingOutputConfig.Outputs[output].S3Output.S3Uri


def get_pipeline(
    region,
    sagemaker_project_arn=None,
    role=None,
    default_bucket=None,
    model_package_group_name="{{ model_package_group }}",
    pipeline_name="AbalonePipeline",
    base_job_prefix="Abalone",
):
    """The pipeline, for a region, a role, a bucket and a model package group."""
    boto_session = boto3.Session(region_name=region)
    session = PipelineSession(
        boto_session=boto_session, sagemaker_client=boto_session.client("sagemaker"), default_bucket=default_bucket
    )
    role = role or sagemaker.session.get_execution_role(session)
    given = parameters()
    builder = Builder(session, role, session.default_bucket(), base_job_prefix, given)
    report = PropertyFile(name="AbaloneEvaluationReport", output_name="evaluation", path="evaluation.json")
    preprocess = builder.preprocess()
    train = builder.train(preprocess)
    evaluate = builder.evaluate(preprocess, train, report)
    mse = JsonGet(step_name=evaluate.name, property_file=report, json_path="regression_metrics.mse.value")
    too_bad = FailStep(
        name="AbaloneModelTooBad",
        error_message=Join(on=" ", values=["the mean squared error is greater than", given["mse_threshold"]]),
    )
    check = ConditionStep(
        name="CheckMSEAbaloneEvaluation",
        conditions=[ConditionLessThanOrEqualTo(left=mse, right=given["mse_threshold"])],
        if_steps=[builder.register(preprocess, evaluate, model_package_group_name)],
        else_steps=[too_bad],
    )
    return Pipeline(
        name=pipeline_name,
        parameters=list(given.values()),
        steps=[preprocess, train, evaluate, check],
        sagemaker_session=session,
    )
