"""The folder contract under /opt/ml: what a job is given, what it leaves, how it ends.

Import from the modules, not from here, so that a process loads only what it uses:

    errors            ProxytuneError, the one error class with a name; catalogue()
    entry_points      load_entry_point("module:name"), find_family(families, family, role)
    folders           Folders: every path under SAGEMAKER_BASE_DIR
    schema            check(name, value): validation by the JSON Schemas that lib/core exports
    records           read_record(folder, file, kind, ...): what an earlier stage wrote, checked
    hyperparameters   read(folders) -> dict with real types, settings_hash(...)
    progress          ProgressFile: progress.json, at most once a second
    checkpoints       CheckpointStore: atomic, complete, bound to the settings
    failure           report(error, folders): the failure file, and the exit code
    signals           Stop, StopRequest: SIGTERM as a flag that is read at step boundaries
"""
