"""The tiny encoders, created once."""

from tiny_encoders import clip as clip
from tiny_encoders import dino as dino
from tiny_encoders import models as models
