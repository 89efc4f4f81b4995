"""Common words without meaning for the assistant, and abbreviations."""

from typing import Final

WORDS: Final = """
amongst amid towards toward throughout alongside beside besides beneath underneath till unto albeit thrice enumerate
basically whatsoever footing preferable objective honestly merely bother bothering compete display
bonjour merci hallo hola ciao gracias danke bitte grazie salut servus grüezi bon soir buenas dias tardes prego voila
unread spreadsheeting lest tolerating stomach instance seas sort of pretend imagine suppose boardroom trustees averages
a able about above absolute absolutely accept acceptable accordingly account accurate achieve across actual actually
add adding additional adequate adequately adjusted advance advice advise adviser advisor afaik afford aforementioned
afraid after afternoon again against aggressive agree agreed ah ahead aim aimed aiming aims airplane airport aka alia
alike all allocate allocation allocations allow allowed allows along already alright also alternatively although
altogether am amazing amid among amount amounts an analyse analysis analyst analyze and angle anna annoying annual
annually another answer any anyhow anymore anyone anything anyway apologies apologise apologize appear appears
appetite applied applies apply appreciate approach approaches appropriate approx approximately are aren arent argmax
argmin argument arithmetic around arrange arrangement as asap aside ask asking asks assess assessed asset assets
assistant assume assumed assuming assumption assumptions assurance at attached attempt attempts attention attractive
audience august autumn available average aware away awesome awful awkward baby back backtest backwards bad balanced
bang bare barely based basic basically basics basis be bear bears beat beating beats beauty became because become
bedtime been before begin beginner begins behind being believe below benchmark best bet bets better between beyond big
bigger bill biscuit bit bits blah blimey bloke bloody blow blown bluntly board boarding bold book bored boring boss
bosses both bother bothered bothering bottom bought bounce bound boy brave break breakdown breath brief briefly
brilliant bring bro broad broadly btw bucket buddy bug bugging build building builds built bummer bunch bundle burning
busy but butt by cab calc calculator calculators call called calm calmer came can cant capital care careful carefully
cares case cases caught cautious cautiously ceo certain certainly ceteris chairman change changed changes chap chaps
charge charged charges chart chat check checking checks cheeky cheer cheers chf child chill chip choice choose
choosing chose chosen chuck chunk church cio circa circumstance circumstances clear clearly clever client clients
climb climbs close closed closer clue clueless coincidentally colleague colleagues collect college combined come comes
comfortable comfortably coming comment comments commit committee common commonly comparable comparably compare
compared comparison complain complaining complete completed complex complicated comply computed concern concerned
concerning concerns concise concisely confess confident confuse confused confusing congrats connection conservative
consider considerable considered considering consistent consistently constraint construct constructed construction
consult consultant contain contains contents context continue convenience convenient conviction convinced cool cope
copied correct correctly cost costing costs could couldnt couldve count counting couple course cover covers crack
crank cranking crap crash crashes crazy create created creates credible crisis cross crucial crude crunch cup
curiosity curious current currently cursory curve customer cut cute dad daft daily dammit damn dare darling data date
daughter day days dealing dealt dear dearest dearly december decent decide decision deep deeper deepest default
defensive definite definitely definition deliver delivered delivers delivery demand demanding demands depend depending
depends describe described deserve desire desired desk desktop despite detail detailed details determine determined
developed devil did didnt different difficult difficulty dig direct directly director disappear disappears disappoint
disappointed disappointing disaster discuss discussed discussing discussion dislike ditto dizzy do doctor document
does doesnt doing dollar dollars done dont doubt doubts down downright dramatic draw drawdowns drawn dread dream drink
drive driven driving drop drops dude due dull dummy dunno during dynamic e each eager earlier earliest ears easier
easiest easily easy eat eats effective effectively efficient efficiently eg eight either elaborate elegant elementary
eleven else embarrassing emphasis employ employed enable encounter encouraging end ending endowment endowments ends
energy engine english enjoy enlighten enough ensure entering entertain entire entry environment equal equities equity
er ergo erm err error errors especially essence essential essentially establish established estimate estimator
estimators etc eur euro euros evaluate evaluation evening event events eventually every everyday everything evidence
evident exact exactly examine examined examining example examples exceed exceeding exceeds excel excellent exceptional
excited exciting excuse exist exists expanded expectation expectations expected experience experiment experimenting
expert explain explanation explore exploring exposed exposes exposure express extra extreme extremely eye eyeball eyes
fab face fact facto factor failing fair fairly faith faithfully fall falls familiar family fancy fantastic far fashion
fast faster father fault favor favorite favour favourite fear feasible february fee feed feel feels fees feet fell
fellow felt fetch few fiddle fiduciary fifth fight fighting figure figures fill filled final finally finance financial
find finding finds fine fingers finished firm firms first firstly fit fits five fix flag flesh flight float focus
foggy folk folks following foolish foot for force forever forgive forgot forgotten form formal format fortunate
fortunately forward found foundation four frank frankly freaking free frequent frequently friday friend friendly
friends from front fulfil full fully fun function functions fund funds funny further furthermore fussy future fuzzy
fyi g gain gains gather gave gbp generally gentle gentleman gentlemen genuine genuinely get gets getting gimme girl
give given gives glad glance gloomy go goal goals goes going gonna good goodness gosh got gotta govern grab grand
grandma grandpa grandpas granny graph grasp grateful great greatly greetings grim ground guard guess guidance guide
guided guru gut guy guys ha had hadn hadnt haha half hand handed handing handle hands handy hang happen happened
happening happens happily happy hard harder hardly harm has hasnt hat hate hated hates have havent having he head
heading heads heal healthy heap hear heard hearing heart heavily heavy heck heckuva hed heed held hell hello hence
here hereby herein heres hey hi high higher highest highly hint historical history hit hits hmm hmmm hoc hold holding
holdings holds home honest honestly hope hoped hopefully hopes hoping horizon horrible horrific hot hour hours house
how how's howd however howre hows huge human humbly hunch hundred hunt hurry husband husbands i id idea ideal ideally
ie if ignorance ill illustrate im imagine imagined imho immediate immediately imo impact important importantly
impossible impress impressed impressive improve improved improvement in inclined include included includes including
incredible incredibly indeed independent index indicate indicated indication indicative individual individually
inevitable inform information informed initial initially inquire inquiry insight insights insist inspect inspired
instead institution intend intended intending intense intent intention intently inter interest interested interesting
into introduce introduced intuition invest invested investigate investment investments investor investors involve
involved ipso irrespective is isn isnt issue issued issues it itd item items itll its ive jack january jealous job
jobs john join joined judge judgement judging july jump june junior just keen keep keeping kept kettle kick kicked
kicks kid kidding kidney kids kill killer kills kind kinda kindest kindly king knew knock know knowing knowledge known
knows lack lad ladies lady laid land language lap large largely larger last lately later latter launch launched
launching layman layout lazy lead leader leading leads leaflet lean leap learn learned learning leave lecture left
legit lemme lend less lesson let lets letter letters letting level levels liberty lie lies life lifetime light lighter
lightly like liked likely likes lil limit limits line lined lines link lit literally literature little lively load
loaded loads loath local log logic logical lol lonely long longer longing look looked looking looks loose lose loser
loses losing loss losses lost lot love lovely loves loving low low-maintenance lower lowest luckily lump lunch
lunchtime mad madam made magic main mainly maintain maintained maintenance major majority make makes making management
manager managers managing mandate many march market markets massive master match matching mate mates mathematics maths
matter max maximum may maybe me mean meaning meaningful means meant meanwhile measure measures member members memory
men mental mention mentioned mere merely mess message messy met method methods metric metrics mid middle might mightnt
mightve mild milder million min mind minded mindful mine minimum minor mint minute minutes miss missed missing mistake
mistakes mix mixed mixing moan mode model models moderate moderately modest moment moments monday money month month-
end monthly months mood more moreover morning morning's most mostly mother motivated motivation mountain mouth move
moved moves much multi multi-asset mum must mustnt mustve my myself mystery naive name named namely nasty natural
naturally nature near nearest neat necessarily necessary necessity need needed needless neednt needs negative neither
nerve nerves nervous net nevertheless new newcomer newly next nice nicely nicest night nine no nobody nod noisy none
nonetheless nonsense noon normal normally not note noted notes nothing notice noticed notion notwithstanding november
now nowhere nudge number numbers nuts o'clock obey objective objectives obliged observe observed obtain obtained
obvious obviously occasion occasional occasionally occur october odd of off offer offered offers offhand office often
oh ok okay old on once one ones only onto ooh oomph oops open openly opinion opportunity opposed opposite optimal
optimizing option or ordinary original originally other otherwise ought oughtnt our ours ourselves out outcome outline
over overall overly overnight owe owing own oy pa page pages paid pain painful painfully pal panic paper param
parameter parameters params pardon parents paribus part participant particular partly partner partners parts party
passing past path paths patience patient pattern pay paying pays pct peak peek peep peers pension pensioner pensioners
people per percent perfect perfectly performance performing perhaps period periods permit persist person personal
personally persuade persuaded peter phrase pick picked picks picture piece pieces pin pity places plain plainly plan
plane planned planning plans plausible play played playing plays pleasant please pleased pleasure plenty pls plug
plugging plunge plus plz pm pms point pointed pointing points polite ponder poor pop popped portfolio portfolios
position positions positive possibility possible possibly posted pot potential potentially pound pounds powerful
practical practice practise precise precisely precision prefer preferable preferably preference preferred preliminary
premise prep preparation prepare prepared preparing present presented presenting preserve press pressed pressure
presumably presume prettier pretty previous price prices prime principal principle principles pro probabilities
probability probably problem problems procedure proceed proceeding process produce produced produces producing
professional professor profit progress project promise promised promising prompt promptly pronto proof proper properly
proportion propose proposed protect proud prove proven provide provided provides prudence prudent prudently pub public
pull pulled pulling pure purpose purposes pursue put puts puzzle puzzled puzzling qualify quality quant quantitative
quarter quarterly quarters query question questions quick quicker quickie quickly quiet quieter quietly quit quite ran
random rapid rapidly rare rarely rather ratherly ratio ratios raw reach react reaction read reader ready real realise
realised realistic realistically realize realized really rear reasonable reasonably reasoning reassure reassured rebal
rebalance rebalanced rebalances rebalancing recall receive received recently reckless reckon reckons recommend
recommended reconsider recovery refer reference referring reflect reflection reflects refresh refreshing regard
regarding regardless regards regret regular regularly regulator related relating relation relative relatively relax
relaxed relevant reliable rely relying remain remains remark remarkable remember remembering reminded repeat replaced
replacing reply report reporting reports represent request requested require required requirement requirements
requires resilient resolve respect respectively response responsibility responsible restless restore restrain result
results retain retire retired retiree retirees retirement retrieve return returns reveals review reviewed reviewing
revise revised rid ridiculous right ring rise rises risked risky robot robust rock role roll rolled room rose rotten
rough roughly round route rubbish ruined rule rules run running runs rush sad sadly safe safer said same saturday save
saver savings saw say says scare scared scary scenario scenarios scheme schemes school scientific screw scrutiny
search searches searching season second secondly section see seed seek seeking seemed seeming seems seen sees seldom
select selected senior sense sensible sensibly sent sentence sentences separate separately september serious seriously
serve served serves service session set sets setting settings setup setups seven several severe shake shaky shall shan
shape shaped share shares sharp sharper shave she shed sheet shift shiny shirt shoot shooting shopping short shortly
shot shots should shouldnt shouldve shout shouting shove show shown shows shut shy sick side sigh sign signed
significant silly similar simple simpler simplest simplicity simplify simply simulate simulated simulation simulations
since sincere sincerely single sir sirs sister sit sits sitting situation six size sized skeptical skip slap sleep
sleeping sleeve slice slide slight slightly slip slot slow slowly small smaller smart smooth smoother smoothly sneak
snoop so sober social soft solid solution solve some somebody somehow someone someplace something sometime sometimes
somewhat somewhere son soon sorry sort sorted sorts sought sound sounding sounds space spare speak speaking special
specialist specific specifically specified specify spell spent spin spirit splendid split spoke spooked spot
spreadsheet squeeze stable staff stage stance stand standpoint stands star start started starting starts state stated
statement states static station statistic statistics stats status stay stayed stays steady step steps stick sticking
still stinks stock stomach stop straight strange strategies strategy stressed strict strictly strike striking stroke
strong stronger strongest strongly structure struggle struggling stubborn student study stuff stunning stupid style
subject submit submitted substantial suddenly sue suffice sufficient suggest suggested suggestion suggestions suit
suitable suits sum summer sunday super superb supper supply support supporting supports suppose supposed supposedly
supposing sure surely surprise surprised surprising surprisingly survive suspect suspicion suspicious sweet sweetheart
switch sworn system systematic systems ta table tad take taken takes tale talk talked talking talks tall target
targeted targeting targets task tasks taught taxi tbh tea teach team tear technique techniques tell tempted tempting
ten tend tends tense term terms terrible terribly terrific terrified territory test tested testing text textbook than
thank thankful thankfully thanks that that's thatd thatll thats the thee theirs them theme themselves then there
thereby therefore thereof theres these they theyd theyll theyre theyve thick thin thing things think thinking third
thirty this thorough thoroughly those though thought thoughts thousand threat three thrilled through throughout throw
throwing throws thursday thus thx tidy tie tied tight tighter tightly till time times tiny tip tired title to today
together tomorrow tone tonight too took tool top topic topped tops total totally touch touched touches touching tough
tougher tour towards toy track trade traded trader trades trading traditional traffic train treat treated tremendous
trial trials trick tricky tried tries trip trouble troubled true truly trusted trustee trustees trusting truth try
trying tuesday turned turns tweak tweaking twelve twenty twice twist two type types typical typically ugh ugly
ultimate ultimately um unable unacceptable unaware uncle uncomfortable under undoubtedly uneasy unfortunately unhappy
unit university unless unlike unlikely unlucky unnecessary unreasonable unsure until unusual up upcoming updated
upfront upon upper upset urgent urgently us usd use used useful useless user users uses using usual usually utterly
vague vaguely valid valuable value values variation variety various vary verify versa version versus very via viable
vibe vice video view viewpoint views vis visit visual vital volatility vs w wait waiting wake walk wanna want wanted
wanting wants warm warning was wasnt waste watch watched watching wave way ways we weak wealthy wear wed wednesday
week weekend weekly weeks weigh weight weighted weighting weights weird welcome well went were weren werent weve what
whatcha whatd whatever whatre whats whatsoever whatve when whenever whens where whereas wherein wheres wherever
whether which whichever while whilst white who whoa whoever whole wholly whom whoops whos whose wide widely widen
wider wife wild will willing win wind window winner winners winning wins winter wise wisely wish wished wishes wit
with within without withstand woke woman women won wonder wondered wonderful wondering wont word words work worker
workers working workings works world worlds worried worry worrying worse worst worth worthwhile worthy would wouldnt
wouldve wow wrap write writing written wrong wrote x yay yeah year yearly years yell yep yes yesterday yet yikes you
youd youll young younger your youre yours yourself youve yup zone
""".split()
"""Words to ignore; a word in no table is judged by its position (`grammar.matters`)."""
ABBREVIATIONS: Final = {
    **dict.fromkeys(["tgt", "trgt", "targ"], "target"),
    **dict.fromkeys(["mkt", "mkts"], "market"),
    **dict.fromkeys(["fn", "fns", "func", "funcs", "fct"], "function"),
    **dict.fromkeys(["pf", "ptf", "pfolio", "portf"], "portfolio"),
    **dict.fromkeys(["cfg", "cfgs", "configs"], "configurations"),
    **dict.fromkeys(["corr", "correl", "rho", "ρ"], "correlation"),
    **dict.fromkeys(["wt", "wgt", "wts"], "weight"),
    **dict.fromkeys(["optim", "opti", "optimisn"], "optimization"),
    **dict.fromkeys(["alloc", "allocs"], "allocation"),
    **dict.fromkeys(["rebal", "rebals"], "rebalancing"),
    **dict.fromkeys(["sims", "sim"], "simulation"),
    **dict.fromkeys(["bear-mkt"], "bear"),
    **dict.fromkeys(["lb", "lkbk"], "lookback"),
    **dict.fromkeys(["tc", "tcs", "tcost", "tcosts"], "cost"),
    **dict.fromkeys(["infl"], "inflation"),
    **dict.fromkeys(["scen", "scens", "scenaro"], "scenario"),
    **dict.fromkeys(["mult"], "multiplier"),
    **dict.fromkeys(["ret", "rtn", "rets"], "return"),
    **dict.fromkeys(["prob", "probs"], "probability"),
    **dict.fromkeys(["diffs"], "difference"),
    **dict.fromkeys(["freq"], "often"),
    **dict.fromkeys(["est", "estim"], "estimator"),
    "tv": "vola", "sr": "sharpe", "β": "beta", "δ": "difference", "Δ": "difference", "σ": "sigma", "γ": "gamma",
    "μ": "mu", "u": "you", "ur": "your", "r": "are", "yrs": "years", "nxt": "next", "stks": "stocks",
    "stk": "stock", "mth": "month", "wld": "would", "fwd": "forward", "wd": "would", "cld": "could",
    "shld": "should", "abt": "about", "bc": "because", "cuz": "because", "coz": "because", "plz": "please",
    "pls": "please", "sry": "sorry", "soz": "sorry", "tho": "though", "thx": "thanks", "ty": "thanks",
    "teh": "the", "hte": "the", "yr": "your", "dont": "dont", "wanna": "want", "nite": "night", "rly": "really",
    "rn": "now", "avg": "average", "w": "with", "mths": "months", "btwn": "between", "bw": "between",
    "rsk": "risk", "prev": "previous", "unch": "unchanged", "excl": "excluding", "incl": "including",
    "vs": "versus", "qtrly": "quarterly", "wkly": "weekly", "mthly": "monthly", "mnthly": "monthly",
    "ann": "annual", "ctrl": "control", "invol": "vol", "pct": "percent", "num": "number", "nr": "number",
    "lev": "leverage", "ddown": "drawdown", "drwdn": "drawdown", "xpected": "expected",
}  # fmt: skip
"""Abbreviations and the words for which they stand."""
