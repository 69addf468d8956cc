"""Pictures of single images: matches, saliency, ranked results. Arrays in, bytes of a picture out; loads no torch."""
