"""The contract of a job: its folders under /opt/ml, its inputs and outputs, and how it ends.

Import from the modules, not from here, so that a process loads only what it uses:

    errors            ProxytuneError, the one error class with a name; catalogue()
    entry_points      load_entry_point("module:name"), find_family, new_family(families, family, role)
    folders           Folders: every path under SAGEMAKER_BASE_DIR
    schema            check(name, value): validation by the JSON Schemas that lib/core exports
    names             names and limits that TypeScript and Python share
    types             TypedDicts of the schemas, written by npm run schemas
    records           read_record(folder, file, kind, ...): a record of an earlier stage, checked
    reference_files   photo_files(folder), caption_of(photo): the references, and what belongs to each
    plan_file         read_plan(channel), curation_of(plan), models_of(plan)
    hyperparameters   read(folders) -> Hyperparameters, settings_hash(...)
    model_manifest    the manifest of a base model, and comparison with it
    progress          ProgressFile: progress.json, at most once a second
    checkpoints       CheckpointStore: atomic, complete, bound to the settings
    failure           report(error, folders): the failure file, and the exit code
    signals           StopRequest: SIGTERM as a flag that is read at step boundaries
"""
