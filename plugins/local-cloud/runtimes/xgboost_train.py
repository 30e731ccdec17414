"""The built-in XGBoost algorithm: channels in, `xgboost-model` out, one metric line per round."""

import os
import pickle
import signal

import numpy
import xgboost

import haliotis_container as container
import xgboost_data as data
import xgboost_hyperparameters as hyperparameters

MODEL_FILE = "xgboost-model"
# Objectives whose names changed; the numbers did not.
OLD_NAMES = {"reg:linear": "reg:squarederror"}
# Metrics that scikit-learn computes in the real container.
FROM_SKLEARN = ("accuracy", "f1", "f1_macro", "precision", "recall", "mse", "r2")


def train(raw):
    values = hyperparameters.validate(raw, container.framework_version())
    if "_kfold" in values:
        raise container.UserError("Hyperparameter _kfold: the local cloud trains one model; leave _kfold out")
    parameters = hyperparameters.booster_parameters(values, OLD_NAMES)
    channels = container.read_config("inputdataconfig.json")
    for name in channels:
        if name not in ("train", "validation", "code"):
            raise container.UserError(f"Extraneous channel found: {name}")
    if "train" not in channels:
        raise container.UserError("Missing required channel: train")
    weighted = values.get("csv_weights") == 1
    train_set = load_channel("train", channels, weighted)
    if train_set is None or train_set.num_row() == 0:
        raise container.UserError("No training data in the channel train")
    sets = [(train_set, "train")]
    validation = load_channel("validation", channels, weighted) if "validation" in channels else None
    if validation is not None:
        if validation.num_col() > train_set.num_col():
            raise container.UserError(
                f"The validation data has {validation.num_col()} features, the training data {train_set.num_col()}"
            )
        sets.append((validation, "validation"))
    print(f"INFO: Train matrix has {train_set.num_row()} rows and {train_set.num_col()} columns", flush=True)
    if validation is not None:
        print(f"INFO: Validation matrix has {validation.num_row()} rows", flush=True)
    run(parameters, values, train_set, sets)


def run(parameters, values, train_set, sets):
    early = values.get("early_stopping_rounds")
    if early and len(sets) == 1:
        raise container.UserError("early_stopping_rounds needs the channel validation")
    native, computed = split_metrics(values.get("eval_metric", []))
    if native:
        parameters["eval_metric"] = native
    elif computed:
        parameters["disable_default_eval_metric"] = 1
    callbacks = [PrintRound()]
    if values.get("save_model_on_termination") == "true":
        callbacks.append(SaveWhenStopped())
    try:
        booster = xgboost.train(
            parameters,
            train_set,
            num_boost_round=values["num_round"],
            evals=sets,
            custom_metric=sklearn_metrics(computed, parameters) if computed else None,
            early_stopping_rounds=early,
            verbose_eval=False,
            callbacks=callbacks,
        )
    except xgboost.core.XGBoostError as error:
        # What XGBoost says of the parameters or labels is the user's to mend.
        raise container.UserError(f"XGB train call failed with exception:\n{error}") from None
    if early:
        booster = booster[: booster.best_iteration + 1]
    save(booster)


def load_channel(name, channels, weighted):
    kind = data.content_type(channels[name].get("ContentType"))
    return data.load(f"{container.DATA_DIR}/{name}", kind, weighted)


def save(booster):
    """Pickled up to image 1.2, in XGBoost's own format after."""
    os.makedirs(container.MODEL_DIR, exist_ok=True)
    path = f"{container.MODEL_DIR}/{MODEL_FILE}"
    if os.environ.get("HALIOTIS_PICKLE_MODEL") == "true":
        with open(path, "wb") as file:
            pickle.dump(booster, file, protocol=4)
        return
    # The file has no ending, so the format is named by a passing one.
    booster.save_model(f"{path}.ubj")
    os.replace(f"{path}.ubj", path)


class PrintRound(xgboost.callback.TrainingCallback):
    """`[0]<TAB>train-rmse:2.85709<TAB>validation-rmse:3.05486`, which the platform reads as metrics."""

    def after_iteration(self, model, epoch, evals_log):
        parts = [f"{set_name}-{metric}:{last(history):.5f}" for set_name, metrics in evals_log.items() for metric, history in metrics.items()]
        print("\t".join([f"[{epoch}]", *parts]), flush=True)
        return False


def last(history):
    value = history[-1]
    return value[0] if isinstance(value, tuple) else value


class SaveWhenStopped(xgboost.callback.TrainingCallback):
    """Keeps the rounds so far when the job is stopped."""

    def __init__(self):
        super().__init__()
        self.stopped = False
        signal.signal(signal.SIGTERM, self.stop)

    def stop(self, *_):
        self.stopped = True

    def after_iteration(self, model, epoch, evals_log):
        if self.stopped:
            print(f"INFO: stopped after round {epoch}; the model so far is kept", flush=True)
        return self.stopped


def split_metrics(names):
    return [name for name in names if name not in FROM_SKLEARN], [name for name in names if name in FROM_SKLEARN]


def sklearn_metrics(names, parameters):
    """One function for all metrics that XGBoost itself does not have."""
    from sklearn import metrics

    classify = parameters["objective"].startswith(("binary:", "multi:"))
    functions = {
        "accuracy": metrics.accuracy_score,
        "f1": lambda y, p: metrics.f1_score(y, p, average="binary" if len(set(y)) <= 2 else "macro"),
        "f1_macro": lambda y, p: metrics.f1_score(y, p, average="macro"),
        "precision": lambda y, p: metrics.precision_score(y, p, average="macro", zero_division=0),
        "recall": lambda y, p: metrics.recall_score(y, p, average="macro", zero_division=0),
        "mse": metrics.mean_squared_error,
        "r2": metrics.r2_score,
    }

    def evaluate(predictions, matrix):
        labels = matrix.get_label()
        predicted = numpy.asarray(predictions)
        if classify:
            predicted = predicted.argmax(axis=1) if predicted.ndim > 1 else (predicted > 0.5).astype(int)
        return [(name, float(functions[name](labels, predicted))) for name in names]

    return evaluate
