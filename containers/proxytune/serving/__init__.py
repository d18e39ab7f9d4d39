"""The HTTP server of a batch transform: /ping, /execution-parameters, /invocations.

settings      Settings.from_environment(): role, family and base model that this process serves
upcoming      upcoming_prompts(uri): the prompts of the chunks that will be sent
base_model    fetch(uri): the base model as a local folder
app           make_app(...): the three routes
server        serve(): loads in the background, responds until SIGTERM
failure_note  leave_note(error): the reason of a failed transform, where its run can read it
"""
