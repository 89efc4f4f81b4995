"""LangChain tools that models may call, one module per family; each acts for `runtime.context.owner`."""
