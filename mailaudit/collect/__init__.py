"""The worlds that answer questions: the only I/O of an audit."""
