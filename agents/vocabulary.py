"""What the embedded assistant knows by name, and the words of amounts: each phrase has one meaning."""

from typing import Final

FUNCTIONS: Final = {
    "inverse_vol": "inverse vol|inverse volatility|inverse-vol|inverse vol rule|one over vol",
    "inverse_vol_squared": "inverse vol squared|inverse volatility squared|squared inverse vol|inverse variance|"
    "inverse squared vol",
    "linear_decay": "linear decay|linear|linear rule|linear function",
    "sigmoid": "sigmoid|sigmoids|s curve|logistic",
    "merton": "merton|merton rule|merton share",
    "cppi": "cppi|constant proportion|constant proportion portfolio insurance",
    "tipp": "tipp|time invariant portfolio protection|time invariant protection",
    "trend_overlay": "trend overlay|trend following|trend filter|trend rule|trend following overlay",
    "regime_switch": "regime switch|regime switching|regime switcher|switching rule",
    "drawdown_control": "drawdown control|drawdown controlled|drawdown controller|dd control",
    "feedback": "feedback|feedback rule|feedback control",
}
ESTIMATORS: Final = {
    "rolling": "rolling|rolling estimate|rolling vol|rolling volatility|rolling window|rolling estimator|"
    "sample volatility|simple rolling|rolling standard deviation",
    "ewma": "ewma|ewma estimate|exponential estimate|exponentially weighted|exponential|exponential weighting|"
    "ewma vol|ewma volatility|ewma estimator|exponentially weighted volatility|riskmetrics",
    "ewma_max": "ewma max|ewmamax|max ewma|ewma maximum|larger of two ewmas|larger ewma|two ewmas",
    "garch": "garch|garch estimate|garch vol|garch volatility|garch estimator|garch forecast",
    "downside": "downside|downside estimate|downside deviation|downside vol|downside volatility|semideviation|"
    "semi deviation|downside risk",
}
SCENARIOS: Final = {
    "base_case": "base case|base|base scenario|central case|base case scenario",
    "bull_market": "bull market|bull|bull case|bull scenario|bull market scenario|bullish scenario|bull run",
    "bear_market": "bear market|bear|bear case|bear scenario|bear market scenario|bearish scenario|bears",
    "high_volatility": "high volatility|high vol|high vol scenario|high volatility scenario|"
    "high volatility case|high vol case|turbulent scenario|high volatility world|"
    "high vol world",
    "low_volatility": "low volatility|low vol|low vol scenario|low volatility scenario|low volatility case|"
    "low vol case|calm scenario|low volatility world|low vol world",
    "cycle": "cycle|cycle scenario|full cycle|cyclical scenario",
}
ENGINES: Final = {
    "heston": "heston|heston engine|heston model",
    "merton": "merton engine|merton jump|merton jumps|merton jump diffusion|jump diffusion|merton model|"
    "merton simulation",
    "bates": "bates|bates engine|bates model",
    "garch": "garch engine|garch model|garch simulation|garch paths|garch world",
    "regime_switching": "regime switching engine|regime switching model|markov switching|regime switching paths|"
    "regime switching simulation",
    "bootstrap": "bootstrap|bootstrap engine|bootstrapped|bootstrapping|block bootstrap|resampled history|"
    "bootstrap paths",
    "gbm": "gbm|geometric brownian motion|brownian motion|gbm engine|brownian",
}
GOALS: Final = {
    "robust_utility": "robust utility|utility|robustness",
    "sharpe": "per unit of risk|reward to risk|return to risk|risk adjusted|return per risk|sharpe|sharpe ratio|"
    "best sharpe|highest sharpe|maximize sharpe|risk adjusted return",
    "worst_case": "worst case|best worst case|maximin|worst scenario",
    "cvar_utility": "cvar utility|shortfall utility|tail utility",
}
METHODS: Final = {
    "inverse_volatility": "inverse vol|inverse volatility|inverse vol weighting|inverse volatility weighting",
    "equal_weight": "equal weight|equal weighted|equally weighted|equal weighting|one over n|naive diversification",
    "risk_parity": "risk parity|equal risk|equal risk contribution|erc",
    "hierarchical_risk_parity": "hrp|hierarchical risk parity|hierarchical",
    "minimum_variance": "minimum variance|min variance|min var|minvar|minimum volatility portfolio|"
    "min vol portfolio|global minimum variance|gmv|least variance|lowest variance|"
    "minimum risk portfolio",
    "maximum_sharpe": "maximum sharpe|max sharpe|tangency|tangency portfolio|efficient frontier|frontier|"
    "mean variance|markowitz|maximum sharpe ratio|max sharpe ratio|maxsharpe",
}
TEMPLATES: Final = {
    "twelve_month_rule": "my spreadsheet|spreadsheet|our spreadsheet|old spreadsheet|excel sheet|my excel|"
    "the current rule|my current rule|our current rule|excel rule|spreadsheet rule|excel",
    "risk_control": "risk control|risk controlled|risk control index|risk control template|risk control strategy",
    "trend_overlay": "trend overlay template",
    "merton": "merton template",
    "constant_weight": "constant weight|constant weighting|fixed weight|constant weight template|constant mix|"
    "constant allocation",
    "cppi_90": "cppi template",
}
ASSETS: Final = {
    "sp500": "index|the market index|spx|standard and poors|us stock market|us equity|us equities|us large cap|"
    "equity index|stock index|index fund|the s p|broad market",
    "stocks": "stocks|bundled stocks|all stocks|single stocks|all the stocks|stock universe|"
    "whole stock universe|individual stocks|all bundled stocks|bundled names",
    "cash": "cash|t bills|treasury bills|money market",
    "AAPL": "aapl|apple",
    "AMD": "amd|advanced micro devices",
    "BAC": "bac|bank of america|bofa",
    "BBY": "bby|best buy",
    "CVX": "cvx|chevron",
    "GE": "ge|general electric",
    "HD": "hd|home depot",
    "JNJ": "jnj|johnson and johnson|johnson johnson",
    "JPM": "jpm|jpmorgan|jp morgan|jpmorgan chase",
    "KO": "ko|coca cola|coke",
    "LLY": "lly|eli lilly|lilly",
    "MRK": "mrk|merck",
    "MSFT": "msft|microsoft",
    "PEP": "pep|pepsi|pepsico",
    "PFE": "pfe|pfizer",
    "PG": "pg|procter and gamble|procter gamble|procter",
    "RRC": "rrc|range resources",
    "UNH": "unh|unitedhealth|united health",
    "WMT": "wmt|walmart|wal mart",
    "XOM": "xom|exxon|exxonmobil|exxon mobil",
}
REBALANCING: Final = {
    "daily": "daily|every day|each day|day by day|daily rebalancing|rebalanced daily|each session|daily rebalanced",
    "weekly": "weekly|every week|each week|once a week|weekly rebalancing|rebalanced weekly",
    "monthly": "monthly|every month|each month|once a month|monthly rebalancing|rebalanced monthly|month end",
    "quarterly": "quarterly|every quarter|each quarter|once a quarter|quarterly rebalancing|rebalanced quarterly",
}
SLOTS: Final = {
    "volatility": "volatility budget|vol budget|risk budget|volatility|vol|target volatility|target vol|"
    "volatility target|vol target|target|vola|annual volatility|annualized volatility|"
    "annualised volatility|risk target|target risk|annual vol|sigma|standard deviation|"
    "targeted volatility|volatility of target",
    "drawdown": "drawdown|dd|max drawdown|maximum drawdown|mdd|maxdd|max dd|drawdown limit|drawdown cap|"
    "peak to trough|drawdown constraint|largest drawdown|maximal drawdown|max drawdown limit|"
    "peak to trough loss|worst drawdown|biggest drawdown|deepest drawdown|from the peak|"
    "from its peak|from peak|below its peak|from the top|from its high|from a peak|off its peak|"
    "peak loss|drawdown budget|maximum loss from the peak",
    "var": "var|value at risk|var limit",
    "es": "es|expected shortfall|cvar|shortfall|conditional var|conditional value at risk|tail loss|cvar limit",
    "turnover": "turnover|max turnover|maximum turnover|annual turnover|turnover limit|turnover cap",
    "transaction_cost": "transaction cost|trading cost|dealing cost|cost per trade|cost a trade|cost|commission|"
    "trade cost|execution cost|spread|trading|trading fee|cost of trading|cost of trade|"
    "charge per trade",
    "max_cost": "max cost|maximum cost|cost limit|cost cap|cost budget|annual cost|yearly cost|cost a year|"
    "cost per year|annual trading cost|yearly trading cost|total cost|cost ceiling|max trading cost|"
    "cost drag",
    "leverage": "leverage|max leverage|maximum leverage|leverage limit|leverage cap|gearing|leveraged|levered",
    "weight": "weight|exposure|equity exposure|invested|allocation|equity weight|risky weight|stock weight",
    "min_weight": "minimum weight|min weight|minimum exposure|min exposure|weight floor|lowest weight|"
    "smallest weight|minimum allocation|least weight|minimum equity weight",
    "max_weight": "maximum weight|max weight|maximum exposure|max exposure|weight cap|highest weight|"
    "largest weight|maximum allocation|maximum equity weight",
    "risk_aversion": "risk aversion|gamma|risk aversion coefficient|aversion",
    "lookback": "lookback|look back|lookback window|look back window|window|estimation window|lookback period|"
    "look back period|window length|lookback length|estimation period|formation period",
    "trials": "trial|configuration|candidate|iteration|attempt|setup to try|parameter set|combination",
    "paths": "path|simulated path|simulation path|monte carlo path|simulation per scenario|path per scenario|"
    "path each|path a scenario",
    "years": "horizon|time horizon|investment horizon",
    "seed": "seed|random seed|rng seed",
    "midpoint": "midpoint|mid point|center|centre|inflection|inflection point",
    "scale": "scale|width|scale parameter|steepness width",
    "slope": "slope|steepness",
    "floor": "floor|protection level|protected level|capital guarantee|guarantee",
    "multiplier": "multiplier|cushion multiplier|cppi multiplier|multiple",
    "band": "band|no trade band|no trade zone|no trade region|tolerance band|trade band|trading band|"
    "rebalancing band|no trading band|tolerance|buffer|dead band|rebalancing tolerance",
    "return": "expected return|return|drift|mean return|mu|annual return|average return|growth rate",
    "cash_rate": "cash rate|interest rate|risk free rate|cash yield|rate on cash|short rate|interest|rates|"
    "cash return|risk free",
    "correlation": "bond correlation|correlation|equity bond correlation|stock bond correlation|"
    "correlation with bond|correlation to bond|correlation of equity and bond|"
    "bond equity correlation|correlation between equity and bond|"
    "correlation between stock and bond|bond stock correlation",
    "inflation": "inflation|inflation rate|cpi",
    "fee": "fee|annual fee|management fee|ter|expense ratio|yearly fee|advisory fee|fund fee",
    "contribution": "contribute|contribution|pay in|paying in|paid in|put in|putting in|deposit|add|adding|"
    "top up|invest another|save|saving|saving plan|monthly contribution|monthly saving|"
    "monthly deposit|set aside|savings plan|inflow|paying|put away|adding another|contributing|"
    "saving up|monthly savings",
    "withdrawal": "withdraw|withdrawal|take out|taking out|takes out|draw|drawing|spend|spending|pay out|payout|"
    "pension|income|monthly withdrawal|draw down|drawing down|outflow|pulling out|pull out|"
    "took out|live off|living off|paying out|pays out",
    "money_goal": "goal|reach|reaching|grow to|grows to|end up with|end with|hit|to become|get to|gets to|"
    "make it to|target wealth|goal of|wealth of|growing to|into|reaches|arrive at|turn into",
}
"""The words of amounts."""
