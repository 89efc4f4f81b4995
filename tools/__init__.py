"""LangChain tools that models may call, one module per family; the work is done in `desk`."""
