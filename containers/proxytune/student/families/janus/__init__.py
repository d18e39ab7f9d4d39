"""The Janus-Pro student: a Llama over text and VQ-16 tokens, by transformers' own classes.

    family        JanusFamily: the family's row in the table
    transformer   Janus(config): embed_text, embed_image_tokens, hidden, logits, loss, lora_targets
    vq            JanusTokenizer(config): encode_images, decode; stride
    prompts       PromptEncoder(tokenizer): encode, without_words, check_word
    sampling      sample_tokens(model, prompts, dropped_prompts, seeds, ...): tokens of complete images
    checkpoint    Student, load_student(folder, ...)

The tower that reads images, its aligner and the output layer for words play no part in generating images:
they are not even loaded.
"""
