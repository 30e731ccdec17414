"""`get-pipeline-definition`: prints the definition that a module's `get_pipeline` makes, or writes it to a file."""
import argparse
import sys

from pipelines import _options


def arguments(given):
    parser = argparse.ArgumentParser(prog="get-pipeline-definition", description=__doc__)
    parser.add_argument("-n", "--module-name", "-module-name", help="as pipelines.abalone.pipeline")
    parser.add_argument("-f", "--file-name", "-file-name", help="where to write it, instead of printing")
    parser.add_argument("-kwargs", "--kwargs", help="arguments of get_pipeline, as a JSON object")
    args = parser.parse_args(given)
    if not args.module_name:
        parser.print_help()
        sys.exit(2)
    return args


def main(given=None):
    args = arguments(given)
    _options.use_own_defaults()
    try:
        definition = _options.load_pipeline(args.module_name, args.kwargs).definition()
        if args.file_name:
            with open(args.file_name, "w", encoding="utf-8") as file:
                file.write(definition)
        else:
            print(definition)
    except Exception as error:  # pylint: disable=broad-except
        print("Exception: %s" % error)
        sys.exit(1)


if __name__ == "__main__":
    main()
