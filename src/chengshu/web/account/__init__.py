"""One's own account: signing in, posts, tokens, notices."""
