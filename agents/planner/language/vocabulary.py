"""Phrases that name scenarios, assets and so on, and cues of amounts; those of strategies are in their own tables."""

from typing import Final

SCENARIOS: Final = {
    "base_case": "base case|base|base scenario|central case|base case scenario|normal market|normal case|"
    "standard scenario|normal scenario|normal world|standard case|central scenario|baseline scenario|"
    "baseline case",
    "bull_market": "bull market|bull|bull case|bull scenario|bull market scenario|bullish scenario|bull run|"
    "bull world|rising market|boom|boom scenario|good times",
    "bear_market": "bear market|bear|bear case|bear scenario|bear market scenario|bearish scenario|bears|bear world|"
    "falling market|crash scenario|downturn|slump|bear phase",
    "high_volatility": "high volatility|high vol|high vol scenario|high volatility scenario|high volatility case|"
    "high vol case|turbulent scenario|high volatility world|high vol world|high-vol|high vola|"
    "turbulent market|turbulent markets|turbulent world|stormy scenario|high volatility market|"
    "choppy scenario",
    "low_volatility": "low volatility|low vol|low vol scenario|low volatility scenario|low volatility case|"
    "low vol case|"
    "calm scenario|low volatility world|low vol world|low vola|calm market|calm markets|calm world|"
    "quiet market|quiet markets|quiet world|low volatility market",
    "cycle": "cycle|cycle scenario|full cycle|cyclical scenario|boom and bust|boom bust|market cycle|business cycle",
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
WORLDS: Final = {
    "calibrated": "calibrated worlds|calibrated world|calibrated scenarios|calibrated to the data|"
    "worlds of the data|scenarios of the data|worlds of my data",
    "historical": "historical worlds|historical mean|historical average return|historical mean return|"
    "past mean return|mean of the history",
    "seed": "seed worlds|fixed worlds|table worlds|fixed scenarios|worlds of the table|numbers of the table|"
    "same worlds for any data|uncalibrated worlds|uncalibrated scenarios",
}
GOALS: Final = {
    "robust_utility": "robust utility|utility|robustness|expected utility|average utility|certainty equivalent",
    "sharpe": "per unit of risk|reward to risk|return to risk|risk adjusted|return per risk|sharpe|sharpe ratio|"
    "best sharpe|highest sharpe|maximize sharpe|risk adjusted return|best sharpe ratio|"
    "sharpe ratio maximal|reward per risk|return per unit of risk|reward per unit of risk",
    "worst_case": "worst case|best worst case|maximin|worst scenario|worst of all|best in the worst|"
    "worst case performance|minimax|max min|maxmin|robust to the worst|as good as it gets in the worst|"
    "best possible worst case|worst-case",
    "cvar_utility": "cvar utility|shortfall utility|tail utility|cvar-utility|tail-aware utility",
    "benefit": "largest benefit|highest benefit|greatest benefit|maximum benefit|most benefit|best benefit|"
    "goal benefit|benefit goal|benefit over its own benchmark|utility over its own benchmark",
}
METHODS: Final = {
    "maximum_sharpe": "maximum sharpe|max sharpe|tangency|tangency portfolio|efficient frontier|frontier|mean "
    "variance|"
    "markowitz|maximum sharpe ratio|max sharpe ratio|maxsharpe|best sharpe portfolio|"
    "highest sharpe portfolio|mean-variance|mvo|markowitz portfolio",
    "maximum_diversification": "maximum diversification|max diversification|most diversified|"
    "most diversified portfolio|maximum diversification portfolio|diversification ratio|highest diversification ratio|"
    "mdp",
    "minimum_cvar": "minimum cvar|min cvar|mincvar|minimum cvar portfolio|least cvar|lowest cvar|smallest cvar|"
    "minimum expected shortfall|min expected shortfall|least expected shortfall|lowest expected shortfall|"
    "minimum conditional value at risk|smallest tail loss|least tail loss|minimum tail risk",
}
COVARIANCES: Final = {
    "sample": "sample covariance|plain covariance|raw covariance",
    "ledoit_wolf": "ledoit wolf|ledoit-wolf|shrunk covariance|shrinkage|shrinkage covariance|ledoit wolf shrinkage|"
    "ledoit wolf covariance|linear shrinkage|shrunken covariance",
    "constant_correlation": "constant correlation covariance|constant correlation shrinkage|"
    "shrinkage to constant correlation",
    "exponential": "exponential covariance|exponentially weighted covariance|ewma covariance",
    "nonlinear_shrinkage": "nonlinear shrinkage|non linear shrinkage|non-linear shrinkage|"
    "nonlinear shrinkage covariance",
    "denoised": "denoised|denoised covariance|denoise|denoising|noise filtered covariance|cleaned covariance|"
    "random matrix theory|marchenko pastur|marchenko-pastur",
}
TEMPLATES: Final = {
    "twelve_month_rule": "my spreadsheet|spreadsheet|our spreadsheet|old spreadsheet|excel sheet|my excel|the "
    "current rule|"
    "my current rule|our current rule|excel rule|spreadsheet rule|excel|my own rule|our old rule|"
    "my old rule|existing rule|my existing rule|rule i use today|rule we use|rule in my spreadsheet|"
    "xls|xlsx|my sheet|our sheet|my workbook|workbook",
    "risk_control": "risk control|risk controlled|risk control index|risk control template|risk control "
    "strategy|risk-"
    "controlled|vol controlled index|risk control rule",
    "trend_overlay": "trend overlay template",
    "merton": "merton template",
    "constant_weight": "constant weight|constant weighting|fixed weight|constant weight template|constant mix|"
    "constant allocation",
    "cppi_90": "cppi template",
}
ASSETS: Final = {
    "sp500": "index|the market index|spx|standard and poors|us stock market|us equity|us equities|us large cap|"
    "equity index|stock index|index fund|the s p|broad market|s and p|s and p five hundred|"
    "s and p 500|us index|american index|us market|american stock market|us stocks index|"
    "standard poors|standard and poor|american market|us large caps",
    "stocks": "stocks|bundled stocks|all stocks|single stocks|all the stocks|stock universe|whole stock universe|"
    "individual stocks|all bundled stocks|bundled names|single-name stocks|the twenty|all twenty|"
    "all the names|whole universe|full universe|stock basket|all the bundled stocks|twenty stocks|"
    "all your stocks|every stock",
    "cash": "cash|t bills|treasury bills|money market|treasury bill|tbills|savings account|bank account|"
    "deposit account",
    "AAPL": "aapl|apple",
    "AMD": "amd|advanced micro devices",
    "BAC": "bac|bank of america|bofa",
    "BBY": "bby|best buy",
    "CVX": "cvx|chevron",
    "GE": "ge|general electric",
    "HD": "hd|home depot|homedepot",
    "JNJ": "jnj|johnson and johnson|johnson johnson",
    "JPM": "jpm|jpmorgan|jp morgan|jpmorgan chase|jp morgan chase|j p morgan",
    "KO": "ko|coca cola|coke|cocacola",
    "LLY": "lly|eli lilly|lilly",
    "MRK": "mrk|merck",
    "MSFT": "msft|microsoft|micro soft",
    "PEP": "pep|pepsi|pepsico",
    "PFE": "pfe|pfizer",
    "PG": "pg|procter and gamble|procter gamble|procter",
    "RRC": "rrc|range resources",
    "UNH": "unh|unitedhealth|united health|united healthcare",
    "WMT": "wmt|walmart|wal mart|wallmart|walmart stores",
    "XOM": "xom|exxon|exxonmobil|exxon mobil|exxon-mobil",
}
SLOTS: Final = {
    "volatility": "volatility budget|vol budget|risk budget|volatility|vol|target volatility|target vol|"
    "volatility target|vol target|target|vola|annual volatility|annualized volatility|"
    "annualised volatility|risk target|target risk|annual vol|sigma|standard deviation|"
    "targeted volatility|volatility of target|realized volatility|realised volatility|vola target|"
    "target vola|tvol|tgtvol|volatility level|level of volatility|risk level|annualised vol|"
    "annualized vol|vol level|standard dev|stdev|std dev|fluctuation|fluctuations",
    "drawdown": "drawdown|dd|max drawdown|maximum drawdown|mdd|maxdd|max dd|drawdown limit|drawdown cap|"
    "peak to trough|drawdown constraint|largest drawdown|maximal drawdown|max drawdown limit|"
    "peak to trough loss|worst drawdown|biggest drawdown|deepest drawdown|from the peak|from its peak|"
    "from peak|below its peak|from the top|from its high|from a peak|off its peak|peak loss|"
    "drawdown budget|maximum loss from the peak|losing more|fall more|falls more|falling more|"
    "drop more|drops more|dropping more|fall from|drop from|losing from|loss from|loss from the peak|"
    "from its top|from top|from the high|from high|from their peak|from its highs|from the highs|"
    "off the peak|off peak|off the top|peak drawdown|max loss|maximum loss|worst loss from|"
    "decline from|max decline|maximum decline|maximum fall|largest fall|biggest fall|worst fall|"
    "biggest drop|largest drop|max drop|maximum drop|dd limit|dd cap|dd max|drawdown max|"
    "drawdown maximum|losing streak|drawdown ceiling|drawdown tolerance|tolerated drawdown|"
    "peak to valley|high water mark|the drawdown limit|capped drawdown",
    "var": "var|value at risk|var limit|one day var|daily var|1 day var|value-at-risk|daily value at risk|"
    "one day value at risk",
    "es": "es|expected shortfall|cvar|shortfall|conditional var|conditional value at risk|tail loss|"
    "cvar limit|expected tail loss|etl|average tail loss|expected shortfall limit|es limit|"
    "mean tail loss",
    "turnover": "turnover|max turnover|maximum turnover|annual turnover|turnover limit|turnover cap|churn|"
    "yearly turnover|portfolio turnover|trading volume|turn over|turnover budget",
    "transaction_cost": "transaction cost|trading cost|dealing cost|cost per trade|cost a trade|cost|commission|"
    "trade cost|execution cost|spread|trading|trading fee|cost of trading|cost of trade|"
    "charge per trade|dealing charge|dealing charges|dealing costs|trading costs|trade costs|"
    "broker fee|brokerage|brokerage cost|trans cost|friction|trading charge|trading charges|"
    "cost assumption|execution costs|round trip|slippage|trading expense|per transaction|"
    "each transaction|trading expensive|expensive to trade|trading as expensive",
    "max_cost": "max cost|maximum cost|cost limit|cost cap|cost budget|annual cost|yearly cost|cost a year|"
    "cost per year|annual trading cost|yearly trading cost|total cost|cost ceiling|max trading cost|"
    "cost drag|total annual cost|total yearly cost|annual total cost|drag|total trading cost|"
    "overall cost|costs in total|cost in total|cost overall|cost annually",
    "leverage": "leverage|max leverage|maximum leverage|leverage limit|leverage cap|gearing|leveraged|levered|"
    "geared|gross exposure|gross leverage",
    "weight": "weight|exposure|equity exposure|invested|allocation|equity weight|risky weight|stock weight|"
    "per title|per name|per stock|per position|per asset|per holding|any one|any single|single name|"
    "single position|any name|any stock|any position|any of them|one of them|each name|"
    "each stock|each position|each title|one stock|one name|one position|per company|position size|"
    "position sizes|name weight|in equity|in equities|of equity|equity share|in stocks|in shares|"
    "equity part|share of equities|equity quota|stock quota",
    "min_weight": "minimum weight|min weight|minimum exposure|min exposure|weight floor|lowest weight|"
    "smallest weight|minimum allocation|least weight|minimum equity weight|min position|"
    "minimum position|smallest position|lower weight",
    "max_weight": "maximum weight|max weight|maximum exposure|max exposure|weight cap|highest weight|largest weight|"
    "maximum allocation|maximum equity weight|position limit|concentration limit|no single name|"
    "no single stock|no single position|no single title|no one name|no one stock|no one position|"
    "no stock|no name|no position|no title|no individual stock|no individual name|upper weight|"
    "largest position|biggest position|max position|maximum position|position cap|name cap|"
    "weight ceiling",
    "risk_aversion": "risk aversion|gamma|risk aversion coefficient|aversion|ra|risk averse",
    "lookback": "lookback|look back|lookback window|look back window|window|estimation window|lookback period|"
    "look back period|window length|lookback length|estimation period|formation period|looked back|"
    "looking back|looks back|look-back|estimation length|rolling window of|rolling period|"
    "estimation horizon|observation window|observation period|trailing window|half life|measured over|"
    "estimated over",
    "trials": "trial|iteration|attempt|setup to try|parameter set|runs of the search|search budget|"
    "evaluation budget|samples to try|different settings|parameter combination|evals|"
    "configuration to try|candidates to try|combinations to try|different configuration",
    "paths": "path|simulated path|simulation path|monte carlo path|simulation per scenario|path per scenario|"
    "path each|path a scenario|scenario path|random path|monte carlo run|mc path|trajectories|"
    "trajectory|realisation|realization",
    "years": "horizon|time horizon|investment horizon|year horizon|years horizon|yrs horizon|simulation horizon|"
    "horizon of|long horizon|simulated over",
    "decay": "decay|decay factor|decay rate|decay constant|decay parameter|smoothing factor|lambda",
    "seed": "seed|random seed|rng seed|random number seed|rng",
    "band": "band|no trade band|no trade zone|no trade region|tolerance band|trade band|trading band|"
    "rebalancing band|no trading band|tolerance|buffer|dead band|rebalancing tolerance|no-trade band|"
    "trading threshold|rebalancing threshold|no trade range|no-trade zone|drift band|"
    "trade threshold|deadband",
    "return": "expected return|return|drift|mean return|mu|annual return|average return|growth rate|"
    "equity return|equities return|stock return|stocks return|drift of|expected returns|"
    "expected equity return|return of|average annual return|earn|earns|earning|equities earn|"
    "stocks earn|shares earn",
    "cash_rate": "cash rate|interest rate|risk free rate|cash yield|rate on cash|short rate|interest|rates|"
    "cash return|risk free|r cash|cash at|cash yields|cash yielding|money market rate|short term rate|"
    "risk-free|riskless rate|t bill rate|deposit rate|rf|policy rate|rate of cash|cash earns|"
    "cash earning",
    "correlation": "bond correlation|correlation|equity bond correlation|stock bond correlation|correlation "
    "with bond|"
    "correlation to bond|correlation of equity and bond|bond equity correlation|"
    "correlation between equity and bond|correlation between stock and bond|bond stock correlation|stock-"
    "bond correlation|equity-bond correlation|bond corr|corr|stocks and bonds correlated|"
    "correlation of stocks and bonds|correlation between equities and bonds|correlation of bonds|bond-"
    "equity correlation|correlation bond equity|correlation equity bond",
    "inflation": "inflation|inflation rate|cpi|price inflation|prices rise|cost of living|infl|rpi",
    "fee": "fee|annual fee|management fee|ter|expense ratio|yearly fee|advisory fee|fund fee|annual charge|"
    "ongoing charge|ongoing charges|management charge|tracker fee|all in fee|custody fee|adviser fee|"
    "platform fee|yearly charge|yearly cost of the fund|annual charges|fees",
    "contribution": "contribute|contribution|pay in|paying in|paid in|put in|putting in|deposit|add|adding|top up|"
    "invest another|save|saving|saving plan|monthly contribution|monthly saving|monthly deposit|"
    "set aside|savings plan|inflow|paying|put away|adding another|contributing|saving up|"
    "monthly savings|chip in|chipping in|throwing in|feed in|regular saving|regular savings|"
    "savings rate|sock away|squirrel away|stash|put aside|putting aside|invest each month|"
    "invest a month|invest every month|pay another|paid in monthly|inflows|top ups|"
    "monthly contribution of|monthly investment|each month i put|every month i put|feeding in|"
    "contributes|save up",
    "withdrawal": "withdraw|withdrawal|take out|taking out|takes out|draw|drawing|spend|spending|pay out|payout|"
    "pension|income|monthly withdrawal|draw down|drawing down|outflow|pulling out|pull out|took out|"
    "live off|living off|paying out|pays out|draws|paid out|pays me|pay myself|paying myself|"
    "pension of|pensions|drawings|payouts|spends|living costs|living expenses|take home|annuity|"
    "income of",
    "money_goal": "goal|reach|reaching|grow to|grows to|end up with|end with|hit|to become|get to|gets to|"
    "make it to|target wealth|goal of|wealth of|growing to|into|reaches|arrive at|turn into|"
    "ending up with|ended up with|end up at|ends up with|finish with|finishing with|finish at|"
    "wind up with|have at least|accumulating|hitting|be a millionaire|target sum|target amount|"
    "get up to|get as far as|need to have|want to have|wanna have|like to have|hope to have|"
    "end up having",
}
"""Cues of amounts."""
