"""Hyperparameters of the built-in XGBoost: names, types, ranges, aliases, and the messages for what is wrong."""

from haliotis_container import UserError

OBJECTIVES = (
    "reg:linear reg:squarederror reg:squaredlogerror reg:logistic reg:pseudohubererror reg:absoluteerror "
    "binary:logistic binary:logitraw binary:hinge count:poisson survival:cox survival:aft multi:softmax multi:softprob "
    "rank:pairwise rank:ndcg rank:map reg:gamma reg:tweedie"
).split()
METRICS = (
    "rmse rmsle mae mape mphe logloss error merror mlogloss auc aucpr ndcg map poisson-nloglik gamma-nloglik "
    "cox-nloglik gamma-deviance tweedie-nloglik aft-nloglik accuracy f1 f1_macro precision recall mse r2"
).split()
# Names that mean another one.
ALIASES = {
    "learning_rate": "eta",
    "min_split_loss": "gamma",
    "reg_lambda": "lambda",
    "reg_alpha": "alpha",
}
# Metrics that the real container computes with scikit-learn; we leave them to it as well.
INFINITE = float("inf")


def whole(low, high=INFINITE):
    return ("integer", low, high, True)


def number(low=-INFINITE, high=INFINITE, low_included=True):
    return ("number", low, high, low_included)


def one_of(*choices):
    return ("choice", choices)


KNOWN = {
    "num_round": whole(1),
    "csv_weights": whole(0, 1),
    "early_stopping_rounds": whole(1),
    "booster": one_of("gbtree", "gblinear", "dart"),
    "verbosity": whole(0, 3),
    "nthread": whole(1),
    "eta": number(0, 1),
    "gamma": number(0),
    "max_depth": whole(0),
    "min_child_weight": number(0),
    "max_delta_step": number(0),
    "subsample": number(0, 1, low_included=False),
    "sampling_method": one_of("uniform", "gradient_based"),
    "colsample_bytree": number(0, 1, low_included=False),
    "colsample_bylevel": number(0, 1, low_included=False),
    "colsample_bynode": number(0, 1, low_included=False),
    "lambda": number(0),
    "alpha": number(0),
    "tree_method": one_of("auto", "exact", "approx", "hist", "gpu_hist"),
    "sketch_eps": number(0, 1, low_included=False),
    "scale_pos_weight": number(),
    "updater": ("text",),
    "dsplit": one_of("row", "col"),
    "refresh_leaf": whole(0, 1),
    "process_type": one_of("default", "update"),
    "grow_policy": one_of("depthwise", "lossguide"),
    "max_leaves": whole(0),
    "max_bin": whole(2),
    "predictor": one_of("auto", "cpu_predictor", "gpu_predictor"),
    "sample_type": one_of("uniform", "weighted"),
    "normalize_type": one_of("tree", "forest"),
    "rate_drop": number(0, 1),
    "one_drop": whole(0, 1),
    "skip_drop": number(0, 1),
    "lambda_bias": number(0, 1),
    "tweedie_variance_power": number(1, 2),
    "objective": one_of(*OBJECTIVES),
    "num_class": whole(2),
    "base_score": number(),
    "_kfold": whole(2),
    "_num_cv_round": whole(1),
    "_tuning_objective_metric": ("text",),
    "eval_metric": ("metrics",),
    "seed": whole(-(2**31), 2**31 - 1),
    "num_parallel_tree": whole(1),
    "save_model_on_termination": one_of("true", "false"),
    "aft_loss_distribution": one_of("normal", "logistic", "extreme"),
    "aft_loss_distribution_scale": number(0, low_included=False),
    "deterministic_histogram": one_of("true", "false"),
    "single_precision_histogram": one_of("true", "false"),
    "interaction_constraints": ("text",),
    "monotone_constraints": ("text",),
    "max_cached_hist_node": whole(1),
}
# Removed from the container with image 1.2.
UP_TO_1_1 = {"silent": whole(0, 1)}
# These steer the container and are no parameters of the booster.
OF_THE_CONTAINER = (
    "num_round",
    "early_stopping_rounds",
    "csv_weights",
    "save_model_on_termination",
    "eval_metric",
    "_kfold",
    "_num_cv_round",
    "_tuning_objective_metric",
)
# Hyperparameters that the platform adds.
OF_THE_PLATFORM = ("sagemaker_region", "sagemaker_job_name", "sagemaker_container_log_level")


def validate(raw, version):
    """Typed values by name. Raises UserError for the first that is missing, unknown or out of range."""
    known = {**KNOWN, **(UP_TO_1_1 if version < (1, 2) else {})}
    values = {}
    for given, text in raw.items():
        if given in OF_THE_PLATFORM:
            continue
        name = ALIASES.get(given, given)
        if name not in known:
            raise UserError(f"Extraneous hyperparameter found: {given}")
        values[name] = convert(given, str(text).strip(), known[name])
    if "num_round" not in values:
        raise UserError("Missing required hyperparameter: num_round")
    needs_classes = str(values.get("objective", "")).startswith("multi:")
    if needs_classes and "num_class" not in values:
        raise UserError(f"Require input for parameter 'num_class' for multi-classification with {values['objective']}")
    if not needs_classes and "num_class" in values:
        raise UserError("Do not need to setup parameter 'num_class' for learning task other than multi-classification.")
    return values


def convert(name, text, rule):
    kind = rule[0]
    if kind == "choice":
        if text not in rule[1]:
            raise UserError(f"Hyperparameter {name}: value {text} not in range {list(rule[1])}")
        return text
    if kind == "metrics":
        return [checked_metric(metric) for metric in (part.strip(" []'\"") for part in text.split(",")) if metric]
    if kind == "text":
        return text
    try:
        value = int(text) if kind == "integer" else float(text)
    except ValueError:
        raise UserError(f"Hyperparameter {name}: could not parse value {text}") from None
    low, high, low_included = rule[1], rule[2], rule[3]
    inside = (low <= value if low_included else low < value) and value <= high
    if not inside:
        left = "[" if low_included else "("
        raise UserError(f"Hyperparameter {name}: value {text} not in range {left}{low}, {high}]")
    return value


def checked_metric(metric):
    """A metric may carry a threshold, as `error@0.7`, or a cut, as `ndcg@10`."""
    if metric.split("@")[0].rstrip("-") not in METRICS:
        raise UserError(f"Hyperparameter eval_metric: value {metric} not in range {METRICS}")
    return metric


def booster_parameters(values, old_names):
    """What is handed to the booster. `silent` and `reg:linear` are words of older versions."""
    parameters = {name: value for name, value in values.items() if name not in OF_THE_CONTAINER}
    if parameters.pop("silent", 0):
        parameters["verbosity"] = 0
    parameters["objective"] = old_names.get(parameters.get("objective"), parameters.get("objective", "reg:squarederror"))
    for removed in ("predictor", "sketch_eps", "dsplit", "lambda_bias", "deterministic_histogram", "single_precision_histogram"):
        parameters.pop(removed, None)
    if parameters.get("tree_method") == "gpu_hist":
        raise UserError("Hyperparameter tree_method: gpu_hist needs a GPU instance, and the local cloud has none")
    return parameters
