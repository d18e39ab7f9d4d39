"""What a batch transform talks to: /ping, /execution-parameters, /invocations.

settings     Settings.from_environment(): which role, family and base model this process serves
upcoming     upcoming_prompts(uri): what the chunks to come will ask for
base_model   fetch(uri): the base model as a local folder
app          make_app(...): the three routes
server       serve(): loads in the background, answers until it is ended
"""
