"""The words that say what is wanted of the embedded assistant, and those that say nothing."""

from typing import Final

TOPICS: Final = {
    "summary": "winning|winning rule|winning strategy|short version|long story short|in brief|in a word|"
    "main point|main points|main message|highlights|key points|key point|in plain english|"
    "in plain words|executive summary|summary|summarize|summarise|sum up|sum it up|sum that up|"
    "sum this up|explain the result|in short|overview|the gist|gist|walk me through|recap|wrap up|"
    "nutshell|in a nutshell|what came out|what was the result|what is the result|the result|"
    "the outcome|outcome|what did you find|what have you found|findings|explain this result|"
    "explain the outcome|explain that result|explain it|explain|conclusion|key takeaways|takeaway|"
    "tldr|bottom line|explain the last result|how did it go|what did the run say|the verdict|verdict|"
    "what won|who won|which one won|which won|the winner|what is the winner|which rule won|"
    "which strategy won|which function won|who is the winner|explain the run|headline",
    "ranking": "top|ranking|rank|ranked|runner up|runners up|second best|second place|leaderboard|league table|"
    "came second|came in second|came next|came third|finalist|top five|top ten|top three|"
    "top candidates|other candidates|the rest of the field|second and third|table of|order of finish|"
    "next best|standing|top 3|top 5|top 10|the table|runners-up",
    "why": "tipped|in favour of|in favor of|reason for|what made|made it win|why did it win|why did that win|"
    "why did this win|why does it win|why is that best|why this one|why that one|why|how come|"
    "for what reason|reason|importance|most important parameter|what drove|what drives|driver|"
    "which parameter mattered|which parameter matters|mattered most|matters most|matter most|"
    "parameter mattered|where does the benefit come from|where does the gain come from|"
    "where does the edge come from|made the difference",
    "where_it_loses": "not work|doesnt work|stop working|work badly|break down|breaks down|go wrong|goes wrong|"
    "where does it lose|where does it lose money|where does this lose money|"
    "where does it fail|where it loses|weak spot|weakness|when does it lose|underperform|"
    "underperformance|lose|loses|losing|fail|fall short|falls short|weakest|suffer|hurt|hurts|"
    "struggle|bad for it|achilles heel|does badly|do badly|loses money|lose money|does worst|"
    "does it do worst|where is it worst|trail|trails|lag|lags|perform badly|perform worst",
    "costs": "cost eat|costs eat|cost|trading cost|transaction cost|after cost|net of cost|expensive to trade",
    "premium": "premium|equity premium|risk premium|equity risk premium|expected premium",
    "parameter_error": "sure about the parameters|sure of the parameters|confident in the parameters|"
    "certain about the parameters|sure are we about the parameters|trust the parameters|"
    "how wrong|wrong parameters|get the parameters wrong|parameters are wrong|"
    "parameters wrong|mis estimated|parameter error|estimation error|parameter uncertainty|"
    "estimation uncertainty|parameter risk|estimates are off|estimates are wrong|"
    "estimate is wrong|estimate is off|uncertainty of the parameter|estimation risk|"
    "inputs are wrong|assumptions are off|uncertain parameter|assumptions are wrong|"
    "drift is wrong|misestimated|estimated wrong|uncertain input",
    "probabilities": "probability|chance|odds|how likely|likelihood|how probable|likely|probable|"
    "risk of breaching|probability of breach|how often",
    "limits": "limit|limits|which limits bind|binding|bind|binds|constraint|breach|within limits|biting|bite|"
    "headroom|within the limits|constraints|respect the limits|violate|violation",
    "luck": "luck|lucky|just luck|noise|within noise|overfit|overfitting|overfitted|deflated sharpe|dsr|"
    "data mining|data mined|data snooping|significant|significance|statistically significant|"
    "multiple testing|chance finding|fluke|spurious|by chance|pure chance|curve fitted|curve fitting|"
    "curve fit|deflated sharpe ratio|selection bias|backtest overfitting|coincidence|skill or luck|"
    "luck or skill|random|just chance|accident",
    "benchmarks": "constant weight|constant mix|fixed weight|beat|beats|outperform|better than|benchmark|"
    "buy and hold|compare to constant weight|versus the benchmark|beat the benchmark|"
    "against the benchmark|just holding|simply holding|holding the index|buy-and-hold|"
    "naive strategy|passive",
    "plateau": "flat|flat around|plateau|heatmap|heat map|neighbour|neighbor|neighbouring|robust middle|cliff|"
    "nearby|how sensitive|sensitive|sensitivity|flat top|isolated peak|peak or plateau|how stable|"
    "stable|knife edge|parameter stability|surrounding|sharp peak|spike|isolated",
    "alternative": "much worse|worse than|why not|why didnt|why wasnt|why isnt|what is wrong with|"
    "what was wrong with|wrong with|what happened to|beaten by|how far behind|far behind|"
    "did worse|not chosen|not picked|not selected|instead of|lose out|lost|lose to|lost to|"
    "rejected|come in behind|how close was|why arent",
    "counter_argument": "why should i not|not believe|not trust|counter argument|counterargument|"
    "counter arguments|argument against|arguments against|devils advocate|devil advocate|"
    "speaks against|speak against|against it|against this|other side|downsides|criticism|"
    "criticize|bear case against|poke holes|poke hole|skeptic|sceptic|skeptical|sceptical|"
    "pushback|objection|case against|caveat|drawback|downside of this|reason against|"
    "reason not to|why shouldnt i|talk me out|what could go wrong|critic|cons|contra|"
    "push back",
    "years": "year by year|by year|per calendar year|which year|calendar year|best year|worst year|each year|"
    "yearly breakdown|annual breakdown|yearly result|yearly return|annual return|year for year|"
    "single years|individual years|best and worst year|good and bad years|yearly performance|"
    "which years|bad years|good years|years",
    "data": "get the prices|get the price|prices from|prices come from|data come from|data|which dates|"
    "what dates|dates|price series|time span|time period|from when|source of the prices|"
    "where do the prices|period covered|what data|which data|price history|data used|sample period|"
    "which period|data source|data quality|history used|which prices|what prices|dataset|data set|"
    "where do the numbers come from|dates used|underlying data",
    "next_trade": "position should i have|position to take|should i be invested|should i do now|what position|"
    "how much should i hold|should i own|should we hold|next trade|trade next|trade now|"
    "trade today|hold today|hold now|current weight|current position|weight today|weight now|"
    "should i hold|position today|buy or sell next|what to do now|do next|next rebalance|"
    "next rebalancing|weight right now|invested today|position right now|next order|"
    "next step in trading|invested right now|position now|do today|trade tomorrow|next move",
    "what_would_change": "answer change|verdict change|result change|circumstances|conclusion change|"
    "answer be different|verdict be different|pick something else|choose something else|"
    "make you|choose differently|decide differently|have to be different|would have to be|"
    "say no|have to change|need to change|would need to be|need to be true|"
    "what would change|change the verdict|change the answer|change your mind|"
    "change the result|change the conclusion|flip the verdict|flip the result|flip|"
    "overturn|tip the balance|different answer|different conclusion|change this conclusion|"
    "change the decision|change the winner|change your answer|change the recommendation|"
    "change your verdict|another winner|reverse the verdict|break the conclusion",
    "computed": "work that out|work it out|work this out|arrive at this|arrive at that|come up with this|"
    "come up with that|get this number|get that number|get to this|where does that number|"
    "where does this number|number come from|figure come from|how was it computed|"
    "how was this computed|how was that computed|how is it computed|computed|calculated|"
    "how did you calculate|calculate|calculation|formula|reproduce|provenance|audit trail|"
    "methodology|how did you get|how did you arrive|how was it calculated|compute|"
    "how did you come up|method behind|derived|behind this number|behind that number|worked out|"
    "how do you know|code version|audit",
}
"""What of a result is asked."""
DO: Final = {
    "optimize": "optimize|optimization|optimizer|optimizations|search for|look for the best|find the best|"
    "find me the best|best strategy|best rule|best weight function|best configuration|"
    "best parameters|best set up|best setup|which rule is best|strategy with the best|tune|"
    "find a strategy|find me a strategy|find a rule|find me a rule|best allocation rule|"
    "best dynamic allocation|grid search|design a strategy|build a strategy|build me a strategy|"
    "looking for a strategy|search|rerun|re run|redo|re optimize|run again|run it again|"
    "run that again|kick off|launch|best function|which function works best|which rule works best|"
    "come up with a strategy|get me a strategy|need a strategy|want a strategy|best way|sweep|"
    "best weighting|which strategy is best|optimally|best dynamic strategy|give me the best",
    "weak_optimize": "vol target strategy|volatility target strategy|vol target rule|vol targeting strategy|"
    "volatility targeting rule|target volatility strategy|optimal|best|strategy for|"
    "strategy with|optimum|repeat|again|once more|run it|start it|launch it|go ahead|"
    "start the run|run that|highest|find|maximize|minimize|run|rule for|rule with|find me|go|"
    "start|strategy",
    "estimate": "estimate|how long|how many evaluation|how much time|what would it take|what does it take|"
    "how expensive|what would it cost to run|ballpark|before i launch|before launching|dont start|"
    "dont launch|dont run|without launching|without starting|without running|how much compute|"
    "compute time|run time|runtime|cost me in time|time wise|timewise|in time|compute budget|"
    "number of evaluation|evaluation would|evaluation will|the compute|compute for|compute need|"
    "computing need|how heavy|what would that take|take to run|effort|how much work|do not start|"
    "do not run|do not launch|not start|duration|computing time|evaluation|dry run|before i start|"
    "before we start|before i commit|how big a job|how big a run|workload|how costly|before running",
    "evaluate": "evaluate|evaluation of|backtest|back test|does my spreadsheet still hold|still hold|"
    "still any good|quick check|quick look|quickly check|preview|template|still work|"
    "single strategy|one configuration|weight curve|equity line|equity curve|how would it have done|"
    "holding up|hold water|score|test drive|still valid|track record|still fine|still ok|still okay|"
    "still good|would have done|have performed|have fared|historically|sanity check",
    "weak_evaluate": "try|test|check|how does|show|look|work|have done|do over|holding|performed|fared|"
    "let me see|see|done",
    "save": "save|keep|store|remember|bookmark|save it|save this|save that|file",
    "saved": "retrieve|fetch|saved|stored|load|reload|saved strategy",
    "add_scenario": "add|add scenario|add a scenario|create a scenario|new scenario|make a scenario|"
    "make me a scenario|define a scenario|clone|copy|duplicate|create|define|scenario of my own|"
    "own scenario|custom scenario|make scenario|build a scenario|build me a scenario|"
    "set up a scenario|add one|make one|create one|add a new scenario|create scenario|"
    "define scenario|invent a scenario|add a world|make me one|variant of|set up scenario|"
    "make a version of|version of|make a new scenario|add my own scenario|make a copy",
    "weak_risk": "risk|drawdown|lose|loss|volatility|risk number",
    "assess_risk": "how volatile|volatile|stress my|stress my portfolio|stress the|stress testing|risk numbers|"
    "risk report|how bad|how badly|worst that can happen|what can go wrong|how dangerous|risk of|"
    "how risky|risky|beta|stress test|stress|tail risk|risk profile|risk assessment|assess|"
    "risk figures|worst loss|downside risk of|could i lose|can i lose|might i lose|"
    "how much could|how much can i lose|stand to lose|risk contribution|risk analysis|risk check|"
    "kurtosis|skew|skewness|at stake|lose in a|risk decomposition|riskiness|risk metrics|"
    "risk measure|risk overview|how much do i stand to lose|risk summary|check the risk|"
    "could we lose|can we lose|money at risk|lose on a bad day",
    "compare_allocations": "compare allocation|allocation method|allocation methods|allocation approach|"
    "ways to allocate|ways to weight|weighting scheme|weighting method|"
    "portfolio construction|split|allocate|allocate across|how should i weight|"
    "how should i split|how to weight|how to split|compare weighting|divide|"
    "weighting schemes|weighting methods|spread across|distribute|portfolio weights|"
    "allocation compare|how would you split",
    "weak_analyse": "bull or a bear market|bull or bear|bull or bear market|bear or bull market|bull or a bear|"
    "trend|momentum|calm|analysis|analyze|analyse|volatile|vol right now|stressed|turbulent",
    "analyse_market": "going on in the market|market|regime|market regime|analyse the market|analyze the market|"
    "market doing|how is the market|where do we stand|how do markets look|market look|"
    "market conditions|market environment|market analysis|market view|trending|trend up|"
    "uptrend|downtrend|momentum of|volatility regime|market now|state of the market|"
    "calm or stressed|calm or turbulent|choppy|market mood|how calm|rising or falling|"
    "market state|what state|vol level|volatility level|trend and drawdown",
    "simulate": "simulate|simulation|simulated wealth|monte carlo|what becomes of|become of|grow|grows|growing|"
    "grow into|how much will|will i have|would i have|retire|retirement|develop|evolve|project|"
    "projection|savings|run out|running out|last for|will it last|how long will my money|compound|"
    "end up|wealth|be worth|worth in|after fees|nest egg|pot|will my money last|money last|"
    "still be there|what happens to|last me|could become|decumulation|ruin|drain|outlast|survive|"
    "turn into|what will i have|how far will",
    "explain": "tell me about|explain to me|hold up there|how did it do in|how does it do in|how did it hold up|"
    "how does it behave in|how does it perform in|how does the winner do in|perform|fare|cope|behave|"
    "performance|hold up|how does it look in|do in|does in|look like in|did in|holds up",
    "compare_results": "diff|differ|difference between|different from the|compare run|compare the run|"
    "compare result|compare the result|compare the last|compare this run|compare this result|"
    "say something else|next to the previous|versus the previous|compare with the previous|"
    "compare it with the|changed since|changed between|different from last|compare my last|"
    "disagree|compare the two|difference|compare the latest|what changed|changed from|"
    "differ from|compare both|side by side with the|compare these two|apart from the|deviate|"
    "contradict",
    "list_results": "archive|archive of runs|list result|list my result|list run|list my run|list all|"
    "my results|my runs|past result|past run|earlier result|earlier run|previous results|"
    "previous runs|what have i run|have i run|show all runs|all my runs|all my results|"
    "all results|all runs|finished run|finished runs|so far|show my runs|what did i run|"
    "history of runs|result list|run history|list of result|list of run|results i have|"
    "runs i have|results do i have|runs do i have|results are there|runs are there|"
    "optimizations have i|list the result|list the run|have we run|have i done|have we done|"
    "list optimizations|past optimizations|my optimizations|show results|show runs|"
    "previous optimizations|old results|old runs|recent runs|recent results|results on file|"
    "completed runs|earlier optimizations",
    "open_holdout": "unseal|unlock|final test|test data|sealed data|sealed period|vault|untouched|hold-out|"
    "never seen|last years that were locked|holdout|hold out|held out|locked holdout|"
    "locked data|sealed|out of sample|locked period|test set|unseen data|reserved data|"
    "holdout period|locked test|out of sample period|locked sample|held back|locked away|"
    "untouched data|locked test period|unseen period",
    "help": "help|things can i ask|things i can ask|can i ask|you can help|how can you help|can you help|"
    "what can you do|what are you able|what do you do|able to do|your capability|what can i ask|"
    "what can i do here|how do you work|how does this work|what else can you|what is possible|commands|"
    "what are my options here|what do you offer|what can you help|capabilities|what are you good at|"
    "what could i ask|get started|how do i start|where do i start|what should i ask|"
    "what kind of questions|what do you know how|can you do|you can do|features|what is this|"
    "who are you|what are you|what can i use you|menu",
    "scenarios": "scenario|scenarios|scenario list|list scenario|list the scenario|which scenario|what scenario|"
    "show scenario|market worlds|assumed in|assumption|scenario assumptions|assumptions|"
    "worlds do you",
}
"""What should be done; `weak_` words decide only beside a name or an amount."""
SHOW: Final = (
    "show|open|look at|see|display|list|view|bring up|pull up|let me see|let me look at|what does|tell me about|"
    "details|describe|what is in|give me|look like"
)
FLOW: Final = "a month|per month|each month|every month|monthly|month|pm|p m"
YEARLY: Final = "a year|per year|annually|yearly|each year|every year|per annum|p a|pa|annual"
UPPER: Final = (
    "more than|further than|deeper than|at most|no more than|not more than|below|under|less than|max|maximum|"
    "up to|capped at|cap|limit|limited to|not exceed|not above|no worse than|not worse than|no higher than|"
    "not over|never more than|within|ceiling|no greater than|no deeper than|not deeper than|never exceed|"
    "never above|never worse than|upper bound|lower than|no bigger than|nothing over|not beyond|never beyond|"
    "not higher than|inside|tops|top out at|smaller than"
)
LOWER: Final = (
    "at least|no less than|not less than|min|minimum|above|not below|never below|lower bound|no lower than|"
    "never less than"
)
NEGATION: Final = (
    "no|not|without|instead of|exclude|excluding|except|except for|dont|do not|dont use|drop|remove|leave out|"
    "avoid|skip|ban|never|nothing|ignore|other than|rather than|minus the|but not|leaving out|not using|not use|"
    "dont include|not include|get rid of|apart|rule out|omit|without using|without any|none of the|forget about|"
    "neither|nor|isnt|wont|cant|cannot|doesnt|no longer|everything but|anything but|all but|everything except|"
    "all except|anything except|lose the|kick out|throw out|take away|leave off|dropping|removing|skipping|"
    "no need for|forget|wasnt|arent|not in|not the"
)
ONLY: Final = (
    "only|just|nothing but|excluding everything but|exclude everything but|nothing except|limited to the|"
    "nothing other than|exclusively|solely|excluding all but|drop everything but|drop all but|restrict to|"
    "restricted to|exclude everything except|exclude all but|excluding everything except|only use|limit it to|"
    "limit the search to|remove everything but|no functions but|no other than|stick to|keep only|purely"
)
LAST: Final = (
    "again|once more|same|rerun|re run|repeat|redo|as before|like before|the last one|that one|last time|"
    "run it again|the same|otherwise the same|the same one|everything else equal|keep the rest|same thing|"
    "same as before|leave the rest|rest the same|rest as is|everything else the same|unchanged|else unchanged|"
    "another go|run again|everything else as before|re optimize|go again|one more time|re estimate|"
    "otherwise unchanged|the same again|as it was"
)
CHANGE: Final = (
    "instead|what if|what about|how about|make it|make that|change it|switch to|switch it|now with|now|but|put|"
    "set|set it|and with|and if|if it were|swap|change to|replace|what would|try it|try that|try it with|and|with|"
    "use|raise|lower|increase|move|change|go|using|bring|let it|turn|only change|tweak|adjust|give it|double|bump|"
    "push|cut|shift|reduce|take"
)
"""Words that change what was done before."""
FRESH: Final = (
    "start afresh|afresh|from scratch|start over|new one|new optimization|new run|new search|a fresh|fresh|"
    "something new|forget that|forget the last|start again from|different one|begin anew|anew|brand new|start new|"
    "new request"
)
EACH: Final = "each|apiece|each in|each of"
REST: Final = "rest|remainder|the rest|the remainder|balance|remaining|rest in"
EQUALLY: Final = (
    "equally|evenly|equal parts|equal shares|in equal parts|equal amounts|equal|equal portions|split evenly|fully|"
    "all in|entirely"
)
RUN_LAST: Final = (
    "last run|latest run|last result|latest result|this run|this result|this one|latest|last one|current run|"
    "newest run|most recent run|most recent result|current result|newest result|last optimization|"
    "latest optimization|this optimization|it|last"
)
RUN_PREVIOUS: Final = (
    "previous run|previous result|previous one|run before|one before|result before|previous|earlier one|prior run|"
    "prior result|prior one|before that|before it|earlier run|earlier result|preceding|penultimate|last time|"
    "prior|previous optimization|one before that|the one before|two runs|two results|last two|last two runs|"
    "last two results|before"
)
NOW: Final = "right now|at the moment|currently|today|at present|these days|nowadays|presently|current|this moment"
FORBIDDEN: Final = (
    "knowledge base|memo|memos|white paper|research note|investment idea|write an idea|write me|write a|"
    "write up|email|e mail|mail|send|slack|teams|whatsapp|notify|notification|alert me|pdf|export|"
    "powerpoint|newsletter|headline news|buy|sell|order|place an order|place a trade|execute|trade for me|"
    "short selling|sell short|go short|short position|go long|production trading|broker|live account|"
    "real money|real trading|paper portfolio|liquidate|transfer|purchase|sell order|buy order|go live|"
    "deploy|my account|custodian|settle|offload|unwind|close my position|hedge|hedging|options|put option|"
    "call option|buy puts|call options|put options|put spread|derivative|derivatives|futures|swap contract|"
    "forward contract|variance swap|straddle|insurance against|protective put|covered call|vix futures|hedged|"
    "other desk|other desks|other user|other users|other people|someone else|somebody else|everyone else|"
    "everybody|other clients|other client|other managers|other manager|competitor|her portfolio|his portfolio|"
    "their portfolio|his runs|her runs|their runs|his results|her results|other team|other portfolio manager|"
    "someone elses|another user|another desk|another manager|user id|other owner|all users|price of|"
    "share price|stock price|quote for|price me|tomorrow|next week|next month|forecast|predict|prediction|"
    "price target|price will|going up|go up|go down|be up|be down|crash next|next crash|when will|"
    "which stock should|what stock|stock pick|stock tip|earnings|dividend date|will rise|will fall|p e ratio|"
    "dividends|dividend|pick a stock|hot stock|which stocks should|overvalued|undervalued|fair value|"
    "last price|tax|taxes|capital gain|capital gains|legal|lawyer|compliance letter|website|publish|"
    "share it|share this|exchange rate|pairs trade|pair trade|translate|translation|code for me|python|"
    "script|excel macro|remind|reminder|permanently|for everyone|desk limit|desk limits|house limit|"
    "house limits|risk policy|change the policy|mandate limit|my permission|permission|permissions|admin|"
    "administrator|sudo|superuser|password|api key|credential|credentials|system prompt|prompts|ignore all|"
    "ignore your|ignore previous|ignore the previous|ignore the above|disregard|override|bypass|jailbreak|"
    "pretend|act as|you are now|developer mode|roleplay|your rules|guardrail|guardrails|rules of the desk|"
    "approve|without approval|approval threshold|delete|erase|wipe|shut down|database|environment variable|"
    "s3|bucket|hack|reveal|approve it for me|self approve|skip the approval|without asking|disable|turn off|"
    "switch off|unlimited|source code|raise my limit|raise the limit|loosen the limit|lift the limit|"
    "increase my limit|memorandum|memoranda|research paper|research papers|our research|place orders|"
    "place the order|place trades|shares of apple|shares of microsoft|buy shares|sell shares|buy me|buy some|"
    "sell my|sell the|colleague's|colleagues portfolio|colleague portfolio|boss portfolio|bosss portfolio|"
    "boss positions|boss runs|boss results|boss strategies|colleagues runs|colleagues results|colleague runs|"
    "colleagues positions|colleagues strategy|his strategies|her strategies|their strategies|his positions|"
    "her positions|his book|her book|his strategy|her strategy|his run|her run|his result|her result|"
    "other portfolio managers|write a memo|draft a|draft me|draft an|print it|slack me|text me|ping me|"
    "wire money|wire the|contract note|strike price|put it into production|in production|your instructions|"
    "previous instructions|all instructions|system message|your prompt|hidden prompt|secret key|my budget|"
    "the budget limit|budget limit|raise the budget|increase the budget|token limit|api token|approval limit|"
    "approve my|approve the|approve this|approve that|the approval|root access|as root|change the rules|"
    "bend the rules|circumvent|overrule the|pretend you|pretend to be|debug mode|upload|download|csv|"
    "spreadsheet file|cancel my|cancel the|stop the run|abort|rename|undo|roll back|forecast for|"
    "will be worth tomorrow|where will|price tomorrow|trade idea|trade ideas|stock tips|recommend a stock|"
    "which stock|tip me|google it|browse|internet|web search|look up|twitter|linkedin|invoice|"
    "expense report|payroll|hire|lawsuit|inheritance|visa application|insider|rumour|rumor|p&l of the desk|"
    "house view|valuation of|is it overvalued|share price of|adopt it|sign off|invite|vpn|log in|login"
)
"""What the assistant does not do: orders, hedges, forecasts, documents, other people, its own rules and limits."""
CHAT: Final = (
    "meeting|calendar invite|coffee|lunch|dinner|restaurant|holiday|birthday|flight|book a|president|"
    "story|weather|rain|sunny|joke|laugh|vote|voting|election|poem|song|recipe|football|movie|"
    "horoscope|sing|haiku|capital of|sudoku|salary|mortgage|vat|cheap|phone|schedule|ping|print|alert|"
    "slide|slides|paper|papers|article|news|german|french|spanish|fuck|shit"
)
"""What is no subject of the desk where nothing else is asked."""
FOREIGN: Final = (
    "tesla|tsla|nvidia|nvda|google|googl|goog|alphabet|amazon|amzn|facebook|netflix|nflx|bitcoin|btc|"
    "crypto|ethereum|eth|gold|silver|commodity|commodities|bond|bonds|treasury|treasuries|gilt|gilts|"
    "bund|bunds|dax|ftse|nasdaq|qqq|spy|nikkei|euro stoxx|stoxx|dow|dow jones|russell|emerging markets|"
    "msci|msci world|world index|reit|reits|real estate|high yield|intel|intc|ibm|boeing|disney|nestle|"
    "novartis|siemens|mastercard|tlt|agg|corporate bonds|european stocks|small caps|small cap|tech stocks|"
    "vix|etf|etfs|fx|eurusd|wheat|copper|private equity|hedge fund|european equities|asml|berkshire|"
    "goldman|citi|citigroup|wells fargo|costco|cisco|oracle|broadcom|international stocks|crude|crude oil|"
    "brent|oil price|oil futures|credit default|investment grade|visa inc|german stocks|japan|japanese|"
    "europe|european|uk stocks|british stocks|french stocks|china|chinese|india|indian|brazil|swiss|"
    "switzerland|emerging|asia|asian|global equities|world equities|international equities|germany|bitcoins|"
    "solana|dogecoin|palantir|pltr|uber|spotify|starbucks|mcdonald|mcdonalds|nike|adidas|toyota|shell|"
    "bp|total energies|lvmh|loreal|roche|bayer|allianz|hsbc|barclays|ubs|credit suisse|deutsche bank|"
    "morgan stanley|blackrock|vanguard|arkk|smi|cac|cac 40|eurostoxx|topix|hang seng|kospi|sensex|nifty|"
    "nasdaq 100|dow jones industrial|russell 2000|mid caps|midcaps|dividend stocks|growth stocks|value stocks|"
    "palladium|platinum|natural gas|coffee futures|corn|soybeans|yen|sterling futures|usdjpy|clo|cds|muni|"
    "municipal bonds|linkers|inflation linked|convertible|convertibles|salesforce|crm|adobe|adbe|paypal|"
    "qualcomm|micron|abbvie|amgen|moderna|gm|general motors|caterpillar|lockheed|raytheon|at&t|verizon|"
    "comcast|unilever|danone|zalando|porsche|volkswagen|bmw|mercedes|daimler|basf|rheinmetall|airbus|"
    "private debt|infrastructure|timber|farmland"
)
"""Assets that are not bundled."""
UNSUPPORTED: Final = (
    "calmar|sortino|omega ratio|kelly|kelly criterion|treynor|information ratio|ulcer|ulcer index|"
    "black litterman|hmm model|hidden markov|lstm|neural network|neural net|machine learning|random forest|"
    "reinforcement learning|deep learning|genetic algorithm|arima|copula|sabr|rough volatility|variance gamma|"
    "local volatility|fortnightly|biweekly|every fortnight|every two weeks|every other week|every other month|"
    "twice a month|twice a week|semi annually|semiannually|semi annual|every six months|half yearly|"
    "annual rebalancing|yearly rebalancing|rebalanced annually|rebalanced yearly|rebalance annually|"
    "rebalance yearly|rebalance once a year|hourly|intraday|every hour|maximum diversification|"
    "max diversification|minimum correlation|cap weighted|market cap weighted|price weighted|stop loss|"
    "stop losses|momentum rule|momentum strategy|mean reversion|carry strategy|buy the dip|parkinson|"
    "garman klass|yang zhang|realized kernel|implied volatility|egarch|figarch|gjr|tgarch"
)
"""What is known by name and not done here."""
