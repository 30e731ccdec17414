"""`IMAGE train`: a script of the user's if the hyperparameters name one, else the image's own algorithm."""

import haliotis_container as container


def main():
    hyperparameters = container.read_config("hyperparameters.json")
    if "sagemaker_program" in hyperparameters:
        import script_train

        script_train.train(hyperparameters)
    elif container.framework() == "xgboost":
        import xgboost_train

        xgboost_train.train(hyperparameters)
    else:
        raise container.UserError("The scikit-learn image needs the hyperparameter sagemaker_program")


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        container.fail(error)
