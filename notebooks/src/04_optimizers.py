# %% [markdown] lang="zh"
# # 04 · 优化器：下山
#
# 大雾里，你站在一片群山中，要走到最低的山谷。看不见路，也看不见谷，只有脚底感觉得到坡：往哪边斜，有多陡。于是你迈一步，再感觉，再迈一步。
#
# 训练就是这样走的。**海拔**是损失，**脚下的坡**是梯度，**怎样迈步**由优化器决定。前三本笔记里，我们一直把 `AdamW` 当作一个词来用；现在把它拆开，先在画得出来的山上走，最后走进刚刚微调过的那个模型的山里去。
#
# **做完以后，你能够**
#
# 1. 亲手走一步 SGD，和 `torch.optim` 对上；
# 2. 看着一条峡谷，说出步幅的上限，以及为什么还是走得慢；
# 3. 把任何一步拆成三份：梯度、动量、每个参数自己的步幅；
# 4. 说清 Adam 为什么不怕梯度的单位，AdamW 又改了哪里；
# 5. 算出优化器要多占几份内存；
# 6. 给真模型换优化器时知道该换多大的学习率，也知道什么时候名次不算数；
# 7. 画出真模型的损失曲面，把几种优化器的脚印放上去。
#
# **怎么读**：做过笔记 01 就够了，大约 45 分钟。每个实验之前有一个问题，先猜，写下来，再运行。

# %% [markdown] lang="en"
# # 04 · Optimizers: walking downhill
#
# You stand in thick fog, somewhere in the mountains, and want to reach the lowest valley. You see no path and no valley. All you have is the slope under your feet: which way it tilts, and how steeply. So you take a step, feel again, take another.
#
# That is how training walks. **Height** is the loss, **the slope under your feet** is the gradient, and **how to step** is up to the optimizer. Through three notebooks `AdamW` has been just a word; now we take it apart, first on mountains that can be drawn, and at last in the mountains of the model that we have fine-tuned.
#
# **At the end you will be able to**
#
# 1. take a step of SGD by hand, and find it equal to `torch.optim`;
# 2. look at a ravine and say how long a stride may be, and why it is still slow going;
# 3. take any step apart into three: gradient, momentum, each parameter's own stride;
# 4. say why Adam does not care in what unit the slope is given, and what AdamW changed;
# 5. work out how many extra copies an optimizer keeps in memory;
# 6. choose a rate when you change the optimizer of a real model, and know when a ranking means nothing;
# 7. draw the loss surface of a real model, with the footprints of several optimizers on it.
#
# **How to read it.** Having done notebook 01 is enough; it takes about 45 minutes. A question stands before each experiment: guess, write it down, then run.

# %% tags=["setup"]
LANG = "zh"

import torch

import labkit as lk
from labkit import tr

lk.language(LANG)
print(tr("准备好了。", "Ready."))

# %%
MODEL, DEVICE = lk.equipment()
config = lk.TrainConfig(max_length=64, device=DEVICE, precision="fp32")

# %% [markdown] lang="zh"
# ## 1 一步是怎么走的
#
# > **理论 ①** 优化器看不见山，只知道脚下的坡。SGD 的一步，就是学习率乘梯度，往下。
#
# 先走最简单的山：一只圆碗，`bowl`。给它一个点，它给出高度；`backward()` 给出梯度。下面这个循环就是全部的 SGD，一行是迈步，一行是把梯度清零。

# %% [markdown] lang="en"
# ## 1 How a step is made
#
# > **Theory ①** An optimizer does not see the mountain, it only knows the slope under its feet. A step of SGD is the learning rate times the slope, downwards.
#
# We begin with the simplest mountain, a round `bowl`. Give it a point, and it gives the height; `backward()` gives the slope. The loop below is all there is to SGD: one line takes the step, and one line forgets the slope.

# %%
bowl = lk.surfaces()["bowl"]
point, path = torch.tensor(bowl.start, requires_grad=True), []
for _ in range(50):
    path.append(point.tolist())
    bowl(*point).backward()
    with torch.no_grad():
        point -= 0.1 * point.grad
    point.grad = None

# %% [markdown] lang="zh"
# `lk.trace` 让 PyTorch 自己的优化器在同一座山上走，把每一步都记下来。

# %% [markdown] lang="en"
# `lk.trace` lets PyTorch's own optimizer walk the same mountain and writes every step down.

# %%
walk = lk.trace(lk.optimizer("SGD", lr=0.1), "bowl", steps=50)
gap = (torch.tensor(path) - torch.tensor(walk.position)[:50]).abs().max().item()
print(walk.steps, tr("步，差不到百万分之一：", "steps, less than a millionth apart:"), gap < 1e-6)

# %% [markdown] lang="zh"
# 一样。`torch.optim.SGD` 里没有魔法，只有那一行减法（**理论 ①**）。坡缓了，步子自己就小了，所以它在碗底停得住，不用谁来刹车。

# %% [markdown] lang="en"
# The same. There is no magic inside `torch.optim.SGD`, only that one subtraction (**theory ①**). Where the slope gets gentle the step gets short by itself, which is why it comes to rest at the bottom without any brake.

# %% [markdown] lang="zh"
# ## 2 峡谷：步子能迈多大
#
# > **理论 ②** 最陡的方向决定步幅的上限（没有动量时是 2 除以曲率），最缓的方向决定要走多久。
#
# 真正的损失不是圆碗，更像**峡谷**：有的参数动一点，损失就大变；有的动半天，也没什么反应。我们的 `ravine` 横着走（y）的曲率是 2，顺着走（x）只有 0.1，差二十倍。照理论，步幅的上限是 2 / 2 = 1。
#
# **猜**：0.05、0.5、0.95、1.2 四种学习率，从同一点出发走 60 步，谁最先到谷底？1.2 会怎样？

# %% [markdown] lang="en"
# ## 2 The ravine: how long a stride may be
#
# > **Theory ②** The steepest direction sets the longest stride (2 over its curvature, without momentum), and the gentlest one decides how long it takes.
#
# A real loss is not a round bowl. It is more like a **ravine**: move some parameters by a little and the loss changes a lot, move others a long way and hardly anything happens. Across our `ravine` (along y) the curvature is 2, down its length (along x) it is 0.1, twenty times less. By the theory, the limit is 2 / 2 = 1.
#
# **Guess**: with the rates 0.05, 0.5, 0.95 and 1.2, all from one place and for 60 steps, who is first at the bottom? And what becomes of 1.2?

# %%
lk.guess("04.2", choice="SGD 0.95")

# %%
rates = {f"SGD {lr}": lk.optimizer("SGD", lr=lr) for lr in (1.2, 0.95, 0.5, 0.05)}
walks = lk.traces(rates, "ravine", steps=60)
for name, walk in walks.items():
    print(name, tr("到达：", "arrived:"), walk.arrived, tr("发散：", "diverged:"), walk.diverged)
lk.scored("04.2", min(walks, key=lambda name: walks[name].arrived or 1000))

# %%
lk.plots.walk_map(walks)

# %% [markdown] lang="zh"
# **读图**：颜色越深越低，白圈是起点，星是谷底，叉是从那里走出了地图。黄线（0.05）太小心，慢慢落到谷轴上，然后几乎不动；绿线（0.5）一步就到了谷轴，顺着走过去；红线（0.95）在两壁之间来回跳，却到得最早，因为顺谷的方向它每步走得最远；蓝线（1.2）跳得一次比一次高，直到飞出去，那就是**发散**。
#
# 所以学习率的上限不是经验，是曲率（**理论 ②**）：贴着上限走最快，多一点点就完。而贴着上限也还要二十多步，因为最缓的方向每步只缩短一成。峡谷越窄，这两件事的矛盾越大。（“到达”是说，剩下的高度一直不到起点的百分之一。）

# %% [markdown] lang="en"
# **Reading it**: the darker, the lower; the white circle is the start, the star the bottom, and a cross marks where somebody left the map. The yellow line (0.05) is too careful: it comes down to the axis of the valley slowly and then hardly moves. The green one (0.5) reaches the axis in one step and walks along it. The red one (0.95) leaps from wall to wall, and yet arrives first, since along the valley its steps are longer. The blue one (1.2) leaps higher every time, until it flies off; that is what **diverging** means.
#
# The limit of the rate, then, is not a matter of experience but of curvature (**theory ②**): fastest is just below it, and a little more is the end. And even just below it takes more than twenty steps, because in the gentlest direction each one covers only a tenth of the way that is left. The narrower the ravine, the harder these two pull against each other. ("Arrived" means that from then on less than a hundredth of the starting height was left.)

# %% [markdown] lang="zh"
# ## 3 动量：攒起来，抵消掉
#
# > **理论 ③** 动量记着走过的方向：方向一致的坡攒成速度，来回摇摆的坡互相抵消。
#
# 人下山，重的雪橇比轻的脚步更稳。**动量**给每个参数配一个速度：每一步先把旧速度打九折，再加上新梯度，照速度走。**Nesterov** 动量只改一点：先照速度探出去一步，在那里感觉坡。三者用同样的学习率 0.1。**猜**：谁先到？动量会不会冲过头？

# %% [markdown] lang="en"
# ## 3 Momentum: add up, cancel out
#
# > **Theory ③** Momentum remembers where it was going: slopes that agree add up to speed, slopes that swing to and fro cancel.
#
# A heavy sledge goes down more steadily than light feet. **Momentum** gives each parameter a velocity: in each step nine tenths of the old one are kept, the new slope is added, and the velocity is what one goes by. **Nesterov** momentum changes one thing, it reaches out by the velocity first and feels the slope there. All three get the same rate, 0.1. **Guess**: who arrives first? Will momentum overshoot?

# %%
lk.guess("04.3", choice="momentum")

# %%
makers = {name: lk.optimizer(name, lr=0.1) for name in ("SGD", "momentum", "Nesterov")}
walks = lk.traces(makers, "ravine", steps=100)
for name, walk in walks.items():
    print(name, tr("到达：", "arrived:"), walk.arrived)
lk.scored("04.3", min(walks, key=lambda name: walks[name].arrived or 1000))

# %%
lk.plots.walk_losses(walks)

# %% [markdown] lang="zh"
# **读图**：纵轴是对数，直线下降就是每步缩小同样的倍数。SGD 走了一百步还没到（打印的是 `None`）；动量的线有两种起伏：细碎的是横着来回撞壁，三道深沟是顺谷冲过了头又荡回来；可是总的梯度比 SGD 的陡得多。Nesterov 因为提前看了一眼，细碎的起伏没有了，只剩顺谷的大起伏，到得最早。这就是**理论 ③** 的两半：顺谷的坡一直同向，越攒越快；横着的坡一来一回，攒不起来。代价是要刹车的地方它刹不住。
#
# 把动量的一步拆开看。三支箭头首尾相接，接到真正走到的地方（第三支是“各参数自己的步幅”，动量没有这一份，长度是 0，第 4 节才用得上）。**猜**：第 6 步里，梯度本身占多少，旧速度占多少？

# %% [markdown] lang="en"
# **Reading it**: the vertical axis is logarithmic, so a straight line means that every step shrinks the height by the same factor. After a hundred steps SGD has not arrived (it printed `None`). The line of momentum goes up and down in two ways: the small waves are swings from wall to wall, the three deep notches are where it shoots past along the valley and swings back; but on the whole it falls far more steeply than SGD's. Nesterov, which looks ahead, has lost the small waves and keeps only the large ones, and arrives first. These are the two halves of **theory ③**: along the valley the slopes always agree and add up, across it they alternate and don't. The price is that it can't stop where it should.
#
# Let us take one step of momentum apart. The three arrows stand one on another and end where it really went (the third is each parameter's own stride; momentum has none, so its length is 0 until section 4). **Guess**: in step 6, how much is the slope itself, and how much the old velocity?

# %%
lk.plots.one_step(walks["momentum"], 6)

# %% [markdown] lang="zh"
# **读图**：它已经越过谷底，正往对面的壁上爬。黑箭头是 SGD 在这里会走的一步：往回，朝谷底。蓝色虚线是旧速度加上的，长一倍多，大体朝着反方向，于是合起来的一步（黄）还在往高处冲（图里是朝下，颜色越来越浅）：冲过头就是这样来的。要是坡一直同向呢？每步打九折再加上新的，攒到最后，步子是 SGD 的 1 / (1 − 0.9) = 10 倍。所以从 SGD 换成动量，学习率通常要先除以十。
#
# 那么动量会让训练更容易发散吗？同一条峡谷，曲率 2，SGD 的上限是 1。用 1.2 和 1.95，各走 300 步。**猜**：SGD、动量 0.9、动量 0.99，谁飞走？

# %% [markdown] lang="en"
# **Reading it**: it has crossed the bottom and is climbing the other wall. The black arrow is the step that SGD would take here: back, towards the bottom. The dashed blue one is what the old velocity adds, more than twice as long and roughly the other way, so that the step as a whole (yellow) still climbs (downwards in the picture, into paler colours). That is how overshooting comes about. And where the slopes always agree? Keep nine tenths and add the new one, over and over, and in the end the stride is 1 / (1 − 0.9) = 10 times that of SGD. So when you change from SGD to momentum, first divide the rate by ten.
#
# Does momentum make it easier to diverge, then? The same ravine, whose curvature of 2 gives SGD a limit of 1; rates of 1.2 and 1.95, 300 steps each. **Guess**: SGD, momentum 0.9, momentum 0.99, who flies off?

# %%
lk.guess("04.3b", 2, 3)

# %%
for lr in (1.2, 1.95):
    makers = {f"β = {beta}": lk.optimizer("SGD", lr=lr, momentum=beta) for beta in (0.0, 0.9, 0.99)}
    for name, walk in lk.traces(makers, "ravine", steps=300).items():
        print(lr, name, tr("到达：", "arrived:"), walk.arrived, tr("发散：", "diverged:"), walk.diverged)
last = lk.traces(makers, "ravine", steps=300).values()  # of the rate 1.95
lk.scored("04.3b", sum(walk.diverged is not None for walk in last))

# %% [markdown] lang="zh"
# 出乎意料：在峡谷里，动量**放宽**了上限。带动量 β 时，它是 2 (1 + β) / 曲率：没有动量是 1，0.9 是 1.9，0.99 是 1.99。来回的坡互相抵消，所以最陡的方向反而坐得住。可是放宽到头也不过一倍，而同向的坡攒成一百倍的步子：1.2 时，0.9 走了 47 步就到，0.99 晃了 300 步，还在谷里荡。

# %% [markdown] lang="en"
# Against expectation: in a ravine momentum **widens** the limit. With momentum β it is 2 (1 + β) / curvature: 1 without, 1.9 with 0.9, 1.99 with 0.99. Slopes that alternate cancel, so the steepest direction sits still for longer. But all that can be gained is a factor of two, while slopes that agree add up to a hundredfold stride: at 1.2, 0.9 arrived after 47 steps, and 0.99 was still swinging in the valley after 300.

# %% [markdown] lang="zh"
# ## 4 Adam：不问坡有多陡，只问往哪边
#
# > **理论 ④** Adagrad、RMSprop、Adam 用梯度除以它自己平时的大小：每个参数各有步幅，梯度的单位被约掉。
#
# 峡谷难走，是因为一个步幅要伺候两种坡。那就每个参数各用各的。三种办法一脉相承：
#
# | | 记住什么 | 一步 |
# |---|---|---|
# | **Adagrad** | 梯度平方的总和 | 学习率 × 梯度 / √总和：越走越小 |
# | **RMSprop** | 梯度平方的滑动平均 | 学习率 × 梯度 / √平均：旧的会忘 |
# | **Adam** | 再加梯度的滑动平均（动量） | 学习率 × 平均梯度 / √平均平方，两个平均都先**修正偏差** |
#
# 两个滑动平均都从 0 攒起，开头偏小：第一步，平均梯度只有梯度的 1 − 0.9 = 一成，平均平方只有 1 − 0.999 = 千分之一。Adam 把它们除以 1 − βᵗ（t 是步数），第一步就正好还原，这叫**偏差修正**（bias correction）；不修正的话，第一步会是学习率的 0.1 / √0.001 ≈ 3.2 倍。RMSprop 不修正。
#
# 分子分母都是梯度，单位约掉了。检验很简单：把整座山拔高一千倍，坡也陡一千倍。**猜**：SGD 会怎样？Adam 的路线呢？

# %% [markdown] lang="en"
# ## 4 Adam: not how steep, only which way
#
# > **Theory ④** Adagrad, RMSprop and Adam divide the slope by its own usual size: each parameter gets a stride of its own, and the unit of the slope cancels.
#
# A ravine is hard because one stride has to serve two slopes. So let each parameter have its own. There are three ways, each growing out of the one before:
#
# | | remembers | a step |
# |---|---|---|
# | **Adagrad** | the sum of squared slopes | rate × slope / √sum: shorter and shorter |
# | **RMSprop** | a running mean of squared slopes | rate × slope / √mean: the old is forgotten |
# | **Adam** | and a running mean of slopes (momentum) | rate × mean slope / √mean square, both means **bias-corrected** |
#
# Both running means build up from 0 and are too small at first: in step 1 the mean slope is 1 − 0.9 = a tenth of the slope, the mean square 1 − 0.999 = a thousandth. Adam divides them by 1 − βᵗ (t counts the steps), which restores both exactly in step 1. This is called **bias correction**; without it the first step would be 0.1 / √0.001 ≈ 3.2 times the rate. RMSprop does not correct.
#
# Slope above, slope below: the unit cancels. That is easily tested. Make the mountain a thousand times as high, and so a thousand times as steep. **Guess**: what happens to SGD? And to Adam's way?

# %%
lk.guess("04.4", 1, 10)

# %%
ravine = lk.surfaces()["ravine"]
steep = lk.surface(lambda x, y: 1000 * ravine(x, y), window=ravine.window, start=ravine.start)
pair = {name: lk.optimizer(name, lr=0.5) for name in ("SGD", "Adam")}
low, high = lk.traces(pair, ravine, steps=100), lk.traces(pair, steep, steps=100)
print("SGD ", tr("发散于第几步：", "diverged at step:"), low["SGD"].diverged, high["SGD"].diverged)
lk.scored("04.4", high["SGD"].diverged)
same = abs(low["Adam"].position - high["Adam"].position).max() < 0.01
print("Adam", tr("两条路线相同：", "same way on both:"), bool(same))

# %% [markdown] lang="zh"
# SGD 在高山上第一步就飞出了地图，Adam 连路线都没变（**理论 ④**）。再看它的第一步：平均梯度和平均平方都只有一个数，除完只剩正负号。

# %% [markdown] lang="en"
# On the high mountain SGD leaves the map with its first step; Adam did not even change its way (**theory ④**). And look at its first step: mean slope and mean square hold a single number each, and dividing leaves nothing but a sign.

# %%
print([round(float(u), 3) for u in low["Adam"].update[0]], [round(float(u), 3) for u in high["Adam"].update[0]])

# %% [markdown] lang="zh"
# 修正以后只剩正负号，每个参数恰好走一个学习率，不管坡是 1 还是 1000。所以 Adam 的学习率有直白的意思：**一步大约走这么远**。这说的是梯度平稳的时候；很少遇到梯度的参数，例如冷僻字的嵌入，久等之后的那一步能到 (1 − 0.9) / √(1 − 0.999) ≈ 3.2 倍。也因此，真模型的权重大小在百分之几，Adam 的学习率就得是千分之几以下。

# %% [markdown] lang="en"
# Corrected, only a sign is left: each parameter moves by exactly one learning rate, whether the slope is 1 or 1000. So Adam's rate has a plain meaning: **about how far one step goes**. That is so where slopes are steady; a parameter that seldom has one, such as the embedding of a rare character, may step by (1 − 0.9) / √(1 − 0.999) ≈ 3.2 rates after a long wait. And that is why, with a real model's weights being some hundredths in size, Adam's rates are thousandths and less.

# %% [markdown] lang="zh"
# ## 5 每个参数的步幅
#
# 把“实际走的一步”除以“动量给的方向”，就是每个参数此刻的**有效步幅**。SGD 的处处一样；另外三种，x 和 y 各有各的。**猜**：峡谷里，Adam 给谁的步幅更大，缓的 x 还是陡的 y？（再看 Adagrad 的线往哪边走。）

# %% [markdown] lang="en"
# ## 5 The stride of each parameter
#
# Divide the step that was really taken by the direction that momentum gave, and you have the **effective step size** of each parameter at that moment. SGD's is the same everywhere; with the other three, x and y have their own. **Guess**: in the ravine, whom does Adam give the longer stride, the gentle x or the steep y? (And see which way Adagrad's line goes.)

# %%
lk.guess("04.5", choice="y")

# %%
team = {"SGD": 0.5, "Adagrad": 1.0, "RMSprop": 0.1, "Adam": 0.5}
walks = lk.traces({name: lk.optimizer(name, lr=lr) for name, lr in team.items()}, "ravine", steps=100)
at_end = walks["Adam"].step_size[-1]
lk.scored("04.5", "x" if at_end[0] > at_end[1] else "y")
lk.plots.step_sizes(walks)

# %% [markdown] lang="zh"
# **读图**：纵轴是对数，两幅的刻度不一样，要读数。SGD 在左图是 0.5 的平线；右图里找不到它，因为它一步就落到谷轴上（第 2 节），此后 y 方向没有步可量。Adagrad 把走过的坡全加起来，步幅只减不增，最后 x 停在 0.4，y 不到 0.2。RMSprop 会忘：它的平均从 0 攒起，又不修正偏差，开头步幅偏大，先降一段；等坡走缓了，又一路变大。Adam 从第一步起就一路变大：坡越来越缓，平均就越来越小。三种都一样：缓的 x 步幅大，陡的 y 步幅小，右端差两倍半到四倍，峡谷就这样被“掰圆”了一些。可是也请看 Adam 和 RMSprop 的右端：快到谷底时梯度趋近于 0，步幅却在变大，这正是自适应方法在谷底抖动、需要学习率往下降的原因。

# %% [markdown] lang="en"
# **Reading it**: the vertical axes are logarithmic, and their scales differ, so read the numbers. On the left SGD is a flat line at 0.5; on the right it can't be found, since it drops onto the axis of the valley in one step (section 2), and after that there is no step along y to measure. Adagrad adds up all the slopes there ever were, so its stride only falls, to 0.4 in x and under 0.2 in y. RMSprop forgets: its mean builds up from 0 and nothing corrects it, so the strides are long at first and shrink for a while, and grow again as the slopes get gentle. Adam's grow from the first step: the slopes get gentler, and their mean gets smaller. All three agree: long strides in the gentle x, short ones in the steep y, at the right end two and a half to four times apart. That is how the ravine gets somewhat "rounded". But look at Adam and RMSprop at that end as well: near the bottom the slopes go to 0, and the strides grow. This is why adaptive methods jitter at the bottom, and why their rate is made to fall.

# %% [markdown] lang="zh"
# ## 6 换一座山，换一个冠军
#
# > **理论 ⑤** 没有处处最好的优化器：名次随地形、起点和学习率而变。
#
# 下面这块面板，动哪个控件都立刻回答：换山、换人、换学习率、换起点。按播放看他们一步步走；勾上“下一步由什么组成”，就能看到刚才那三支箭头。这里先放一座**马鞍**：起点几乎在脊线上，前后都是坡，左右各有一个谷。**猜**：谁先从脊线上下来？

# %% [markdown] lang="en"
# ## 6 Another mountain, another champion
#
# > **Theory ⑤** No optimizer is best everywhere: the ranking depends on the terrain, the start and the rate.
#
# In the panel below every control answers at once: another mountain, other walkers, another rate, another start. Press play to watch them step by step; tick "parts of the next step", and you have the three arrows of before. It begins on a **saddle**: the start is almost on the ridge, with a valley on either side. **Guess**: who gets off the ridge first?

# %%
panel = lk.ui.Optimizer("saddle", RMSprop=True, lr=0.05)
panel

# %% [markdown] lang="zh"
# 同样的事写成代码，面板下方那几行就是：

# %% [markdown] lang="en"
# The same in code, as it stands below the panel:

# %%
names = ("SGD", "momentum", "RMSprop", "Adam")
walks = lk.traces({name: lk.optimizer(name, lr=0.05) for name in names}, "saddle", start=(-2.0, 0.01), steps=200)
print({name: walk.arrived for name, walk in walks.items()})
panel.run_button.click()
panel.wait()
panel.report()

# %% [markdown] lang="zh"
# **读图**：脊线上，往谷里的坡几乎是 0。SGD 照坡迈步，沿着脊线滑到鞍点，在那里磨蹭最久（58 步）；动量也沿着脊线走，攒起的速度冲过了鞍点，绕一大圈才回来（41）。RMSprop 和 Adam 把小坡除以它自己的大小，小坡也迈大步，所以一出发就斜着离开脊线。两位同路，步数却差得多：RMSprop 的平均从 0 攒起，没有偏差修正，头几步特别大，12 步就到；Adam 每步每个方向至多走 0.05，两格宽的路，四十来步才走得完（45）。可见名次里也有学习率的一份。那么在别处呢？为了公平，同样的四位各试五个学习率，再走三座山，打印的是每位最好的一次：步数，和用的学习率。**猜**：每座山各是谁先到？

# %% [markdown] lang="en"
# **Reading it**: on the ridge the slope towards the valley is almost 0. SGD steps by the slope, slides along the ridge to the saddle point, and dawdles there the longest (58 steps); momentum keeps to the ridge as well, shoots past the saddle on the speed it has gathered, and comes back in a wide loop (41). RMSprop and Adam divide the small slope by its own size, so that it gives a long step too, and they leave the ridge slantwise at once. They go the same way, and yet their steps are far apart in number: RMSprop's mean builds up from 0 without a correction, which makes its first steps very long, and it is there in 12; Adam moves by about 0.05 at most in each direction, so that a way of two units takes forty-odd (45). The rate has its share in a ranking, then. And elsewhere? To be fair, each of the same four tries five rates on three more mountains; what is printed is the best of each, its steps and the rate. **Guess**: who is first on each?

# %%
lk.guess("04.6", choice="Adam")

# %%
tried = {name: (0.001, 0.003, 0.01, 0.1, 0.3) for name in ("SGD", "momentum")}
tried |= {name: (0.02, 0.05, 0.1, 0.2, 0.5) for name in ("RMSprop", "Adam")}
makers = {(name, lr): lk.optimizer(name, lr=lr) for name, rates in tried.items() for lr in rates}
for mountain in ("himmelblau", "plateau", "rosenbrock"):
    walks = lk.traces(makers, mountain, steps=500)
    there = [(walk.arrived, lr, name) for (name, lr), walk in walks.items() if walk.arrived is not None]
    best = {name: (steps, lr) for steps, lr, name in sorted(there, reverse=True)}
    print(mountain, *sorted(best.items(), key=lambda item: item[1]))
lk.scored("04.6", min(best, key=best.get))  # rosenbrock is the last

# %% [markdown] lang="zh"
# 各用各的好学习率以后，仍然没有一位处处领先（**理论 ⑤**）：前两座山是 RMSprop 靠头几步的大步子抢先，弯弯的 `rosenbrock` 上它却落到最后，先到的是动量。换一个起点，名次还会再换，你在面板里拖几下就看得到。所以“某某优化器更好”这句话，少了地形和学习率就没有意义。
#
# **动手**：在面板里选“抖动的碗”（每一步的坡都带噪声，像一小批数据那样），看谁停得住；再选“三个陡坑”，看谁掉得进去。

# %% [markdown] lang="en"
# With a good rate for each there is still nobody who leads everywhere (**theory ⑤**): on the first two mountains RMSprop wins by its long first steps, on the winding `rosenbrock` it comes in last, and momentum first. From another start the ranking changes again, as a few moves in the panel will show. "This optimizer is better" is a sentence that means nothing without a terrain and a rate.
#
# **Try it**: choose "noisy bowl" in the panel (each slope carries noise, as that of a small batch does) and see who can stand still; then "UvA steep optima", which are three steep holes, and see who falls into one.

# %% [markdown] lang="zh"
# ## 7 权重衰减：Adam 和 AdamW 差在哪里
#
# > **理论 ⑥** 衰减加进梯度，会和梯度一起被除掉；AdamW 把它放在外面，对谁都一样。
#
# **权重衰减**让每个权重每步缩小一点。老办法（L2）是把“衰减 × 权重”加进梯度；对 SGD 这没问题。对 Adam 呢？两个权重都从 1 出发，梯度是没有方向的噪声，一个大（10），一个小（0.01）。走 300 步，看衰减能把它们各缩小多少。**猜**：两种优化器，四条线，谁的两条几乎重合？

# %% [markdown] lang="en"
# ## 7 Weight decay: where Adam and AdamW differ
#
# > **Theory ⑥** A decay that goes into the gradient is divided away with it; AdamW keeps it outside, the same for all.
#
# **Weight decay** shrinks every weight a little in each step. The old way (L2) adds "decay × weight" to the slope, and for SGD that is fine. And for Adam? Two weights begin at 1; their slopes are noise without direction, large for one (10), small for the other (0.01). After 300 steps, see how far the decay has shrunk each. **Guess**: two optimizers, four lines; whose two lie almost on one another?

# %%
lk.guess("04.7", choice="Adam")

# %%
torch.manual_seed(0)
noise = torch.randn(300, 2) * torch.tensor([10.0, 0.01])
shrunk = {}
for kind in (torch.optim.Adam, torch.optim.AdamW):
    weights, lines = torch.ones(2, requires_grad=True), []
    optimizer = kind([weights], lr=1e-3, weight_decay=0.5)
    for slope in noise:
        weights.grad = slope.clone()
        optimizer.step()
        lines.append(weights.tolist())
    shrunk[kind.__name__] = lines
lk.scored("04.7", min(shrunk, key=lambda name: abs(shrunk[name][-1][0] - shrunk[name][-1][1])))

# %%
fig, axes = lk.plots.figure(5.6, 2.5)
for name, colour in (("Adam", lk.plots.COLOURS[0]), ("AdamW", lk.plots.COLOURS[1])):
    for which, style, size in ((0, "-", "10"), (1, "--", "0.01")):
        line = [weights[which] for weights in shrunk[name][::5]]
        axes.plot(range(0, 300, 5), line, style, color=colour, label=f"{name}, {tr('梯度', 'slope')} {size}")
axes.set_title(tr("衰减了多少", "What decay did"), loc="left")
axes.set(xlabel=tr("步", "step"), ylabel=tr("权重", "weight"))
axes.legend()
fig

# %% [markdown] lang="zh"
# **读图**：看两条红线（AdamW），实线和虚线一起往下，落在 0.85 上下，中间那点缝是噪声：衰减对谁都一样。再看两条蓝线（Adam），一条 0.95，一条 0.72：梯度小的（虚线），衰减比梯度还大，被推着每步走满一个学习率，缩过了头；梯度大的（实线）几乎不理会，因为衰减和梯度加在一起，被同一个大数除掉了（**理论 ⑥**）。名字里多出来的 W 就是这个意思：weight decay，解耦的。微调几乎都用 AdamW，原因在此。

# %% [markdown] lang="en"
# **Reading it**: look at the two red lines (AdamW): solid and dashed go down together, to about 0.85, and the gap between them is noise; decay is the same for both. Then the two blue ones (Adam), which end at 0.95 and 0.72: where the slope is small (dashed) the decay is larger than the slope, drives a full stride in every step, and shrinks too much; where it is large (solid) decay is hardly felt, because decay and slope were added and divided by the same large number (**theory ⑥**). That is the W in the name: weight decay, decoupled. Almost all fine-tuning uses AdamW, and this is why.

# %% [markdown] lang="zh"
# ## 8 内存：记性是要占地方的
#
# > **理论 ⑦** 优化器记几样东西，就要多存几份可训练的参数。
#
# SGD 什么都不记；动量记一个速度；Adam 记两个平均。**猜**：在真模型上各走一步，优化器里存了参数个数的几倍？

# %% [markdown] lang="en"
# ## 8 Memory: remembering takes room
#
# > **Theory ⑦** For each thing that an optimizer remembers, the trainable parameters are stored once more.
#
# SGD remembers nothing, momentum a velocity, Adam two means. **Guess**: after one step on a real model, how many times the number of parameters is kept inside the optimizer?

# %%
lk.guess("04.8", 1, 3)

# %%
model = lk.load(MODEL, labels=("negative", "positive"))
total = sum(p.numel() for p in model.parameters())
for name in ("SGD", "momentum", "AdamW"):
    optimizer = lk.optimizer(name, lr=0.0)(model.parameters())
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    kept = sum(v.numel() for state in optimizer.state.values() for v in state.values() if v is not None)
    print(name, round(kept / total, 1))
lk.scored("04.8", round(kept / total, 1))  # AdamW's

# %% [markdown] lang="zh"
# 0、1、2 份。所以用 AdamW 全量微调，内存里一共是四份：权重、梯度、两个平均。冻结九成参数，后三份就各少九成，权重那一份一点不少：笔记 03 的 PEFT 模块省的就是这里。

# %% [markdown] lang="en"
# None, one and two copies. Full fine-tuning with AdamW thus holds four: weights, gradients, two means. Freeze nine tenths of the parameters, and the last three shrink by nine tenths, the weights not at all; that is what the slivers of notebook 03 save.

# %% [markdown] lang="zh"
# ## 9 真模型：每种优化器有自己的刻度
#
# > **理论 ⑧** 学习率没有通用的刻度：换优化器，就要重找学习率；热身是给 Adam 开头几步的保险。
#
# 现在离开玩具山。模型是我们的小 BERT，训练它的头（下面的部分只算一遍，所以每次训练不到一眨眼，见笔记 02 第 6 节）。为了快，数据只取一部分。（图里红的是要训练的，灰蓝的冻着。）三种优化器，各试五种学习率，十轮。**猜**：要把训练损失降到 0.5 以下，SGD 的学习率得是 AdamW 的多少倍？

# %% [markdown] lang="en"
# ## 9 A real model: every optimizer has its own scale
#
# > **Theory ⑧** Rates have no common scale: another optimizer wants another rate; warm-up is an insurance for Adam's first steps.
#
# Now we leave the toys. The model is our small BERT, of which we train the head (what lies below is computed once, so that each training is over in a blink; see notebook 02, section 6). To be quick we take a part of the data. (In the drawing, red trains and grey-blue is frozen.) Three optimizers, five rates each, ten epochs. **Guess**: to get the training loss below 0.5, how many times AdamW's rate does SGD need?

# %%
lk.guess("04.9", 2, 20)

# %%
every = lk.reviews()
corpus = lk.Corpus("reviews", every.train[:160], every.valid[:60], every.test[:120], every.task)
model = lk.load(MODEL, labels=corpus.labels)
live = lk.LiveHead(lk.Trainer(model, corpus, lk.HeadOnly(), config))
grids = {
    "sgd": (0.001, 0.01, 0.1, 0.3, 1.0),
    "momentum": (0.0001, 0.001, 0.01, 0.03, 0.1),
    "adamw": (0.00001, 0.0001, 0.001, 0.003, 0.01),
}
lk.plots.network(model, lk.HeadOnly())

# %%
fig, axes = lk.plots.figure(5.6, 2.6)
enough = {}
for name, colour in zip(grids, lk.plots.COLOURS, strict=False):
    runs = [live.trainer(optimizer=name, lr=lr, epochs=10).fit() for lr in grids[name]]
    enough[name] = next(run.config["lr"] for run in runs if run.history[-1].train_loss < 0.5)
    axes.semilogx(grids[name], [run.history[-1].train_loss for run in runs], "o-", color=colour, label=name)
axes.set_title(tr("十轮后的训练损失", "Training loss after ten epochs"), loc="left")
axes.set(xlabel=tr("学习率（对数轴）", "learning rate (log axis)"), ylabel=tr("损失（nat）", "loss (nats)"))
axes.legend()
lk.scored("04.9", round(enough["sgd"] / enough["adamw"]))
fig

# %% [markdown] lang="zh"
# **读图**：三条线形状相似：左边步子太小，损失停在 0.7 附近（瞎猜是 0.69）；往右越走越低，只有 SGD 过了 0.3 不再降。不同的是位置：损失降到 0.4 以下，AdamW 用 0.001，SGD 要 0.1，差一百倍；动量在两者之间，大约是 SGD 的十分之一（第 3 节算过）。把 AdamW 的学习率原样交给 SGD，它走十轮也出不了门。很多“某某优化器没用”的结论，只是没有换刻度（**理论 ⑧**）。

# %% [markdown] lang="en"
# **Reading it**: the three lines are alike in shape. On the left the steps are too short and the loss stays near 0.7 (guessing is 0.69); to the right it comes down, and only SGD gains nothing beyond 0.3. What differs is the place: to get below 0.4, AdamW needs a rate of 0.001 and SGD one of 0.1, a hundred times as much; momentum lies between, at about a tenth of SGD's (as section 3 worked out). Hand AdamW's rate to SGD, and in ten epochs it is not out of the door. Many a finding that "this optimizer does not work" only forgot to change the scale (**theory ⑧**).

# %% [markdown] lang="zh"
# 各用各的刻度以后，还分得出高下吗？`lk.compare_configs` 让同一种策略用不同的设置训练，同样的行，同样的种子。三种设置，两个种子：AdamW 带热身（前一成步数里，学习率从 0 升上去）、不带热身、SGD。`out=` 把每次训练存成文件，第二格只补没做的。**猜**：AdamW（不带热身）比 SGD，判下来是哪一种？

# %% [markdown] lang="en"
# And with each on its own scale, can they still be told apart? `lk.compare_configs` trains one strategy under several settings, on the same rows, with the same seeds. Three settings and two seeds: AdamW with warm-up (in the first tenth of the steps the rate rises from 0), AdamW without, and SGD. `out=` keeps each run in a file, so that the second cell does only what is missing. **Guess**: AdamW without warm-up beside SGD, what is the verdict?

# %%
lk.guess("04.9b", choice="better")

# %%
import tempfile
from dataclasses import replace

box = tempfile.mkdtemp()
settings = {
    tr("adamw 热身", "adamw warm-up"): replace(config, lr=2e-3),
    "adamw": replace(config, lr=2e-3, warmup=0.0),
    "sgd": replace(config, lr=0.3, optimizer="sgd"),
}
first = lk.compare_configs(settings, corpus, lk.HeadOnly(), model=MODEL, seeds=(0,), out=box)

# %%
runs = lk.compare_configs(settings, corpus, lk.HeadOnly(), model=MODEL, seeds=(0, 1), out=box)

# %%
word = lk.verdict(runs, "adamw", "sgd").word
lk.scored("04.9b", "unknown" if word == "noise" else word)
lk.plots.forest(runs)

# %% [markdown] lang="zh"
# **读图**：点是平均，横线是 95 % 区间，灰点是单个种子。三个平均相差不到一个点，区间每边却有六七个点，三条横线几乎完全重叠，连 TF-IDF 的点线也穿过它们：120 行测试、两个种子，说不出谁更好，热身也看不出作用。请记住这是“不知道”，不是“一样”。为什么大家还是带着热身？因为 Adam 的头几步，平均平方只见过几个梯度，每个参数都会迈出满满一步（第 4 节），方向却还没有把握；热身把这几步变小，很便宜。模型大、学习率高的时候，这份保险才看得见。

# %% [markdown] lang="en"
# **Reading it**: a dot is a mean, its bar the 95 % interval, grey dots are single seeds. The three means are not a point apart, and the bars reach six or seven to each side: they overlap almost entirely, and the dotted line of TF-IDF runs through them. 120 test rows and two seeds can't say who is better, and no effect of warm-up is to be seen. Take that as "unknown", not as "equal". Why, then, does everybody warm up? Because in Adam's first steps the mean square has seen just a few slopes, so every parameter takes a full stride (section 4) in a direction that nobody is sure of yet. Warm-up makes these strides short, and costs next to nothing. With large models and high rates the insurance begins to pay.

# %% [markdown] lang="zh"
# ## 10 真模型的山
#
# > **理论 ⑨** 头的损失沿随机方向又宽又平滑；不同的优化器走不同的路，到达一样低的地方。
#
# 模型的头有一万多个参数，山在一万多维里，画不出来；但可以切一片。从训练好的权重出发，选两个随机方向，方向里每个神经元的长度和模型自己的一样（不然大的权重会显得平）。`lk.slice_loss` 在这个平面上 31 × 31 个位置各算一遍损失。它在副本上做，模型一个比特也不变。**猜**：会是一片犬牙交错，还是一个碗？

# %% [markdown] lang="en"
# ## 10 The mountain of a real model
#
# > **Theory ⑨** Along random directions the loss of the head is wide and smooth; different optimizers take different ways to places that are equally low.
#
# The head has more than ten thousand parameters, and a mountain in ten thousand dimensions can't be drawn. But it can be sliced. Start from the trained weights and choose two random directions, in which each neuron is as long as the model's own (or large weights would look flat). `lk.slice_loss` computes the loss at 31 × 31 places of that plane. It works on a copy, and the model does not change by a bit. **Guess**: jagged rocks, or a bowl?

# %%
trainer = live.trainer(lr=2e-3, epochs=10)
trainer.fit()
found = lk.slice_loss(trainer.model, corpus.train, n=31)
lk.plots.slice_map(found)

# %% [markdown] lang="zh"
# **读图**：白圈是训练好的模型，坐标 1 的意思是“走出自己那么长的一段”。没有悬崖，没有迷宫，只有一个宽宽的谷。沿任一随机方向移动权重范数的四分之一，损失只变一点点：周围一大片都是差不多好的模型。这张图有三个“只”：只是头（两层小网络，特征又是冻结的，本来就接近凸），只是两个方向，只是随机的方向。整个模型的山，它没有看。它甚至不站在最低处：训练在半路就停了，旁边还有更低的地方（那是**训练**损失更低，不等于没见过的行更好）。训练头时学习率不必定得分毫不差，这是一个原因。还要当心：两个随机方向看不见最陡的方向，真正的山比切片更像峡谷。

# %% [markdown] lang="en"
# **Reading it**: the white circle is the trained model, and 1 on an axis means "as far as its own weights are long". There are no cliffs and no maze, just a wide valley. Move by a quarter of the norm of the weights (their length) along either random direction, and the loss changes very little: all around there are models that are nearly as good. The picture has three limits: it is the head alone (two small layers over frozen features, nearly convex by construction), two directions alone, and random ones. It did not look at the mountain of the whole model. It does not even stand at the lowest place: training stopped on its way, and lower ground is near (lower in **training** loss, which does not mean better on rows it has not seen). That is one reason why a head is easy to train, and why its rate need not be exact. But be careful: two random directions don't meet the steepest ones, and the real mountain is more of a ravine than the slice.

# %% [markdown] lang="zh"
# ## 11 三串脚印
#
# 随机的平面看不到训练走的路。换一个平面：经过起点、第一条路的终点，再加上所有路余下的主方向。`lk.record_path` 在训练时记下脚印。三种优化器从**同一个**起点出发，看同样的行。**猜**：三条路会重合吗？终点在同一个地方吗？

# %% [markdown] lang="en"
# ## 11 Three sets of footprints
#
# A random plane does not contain the way that training took. So take another: through the start and the end of the first way, and along the main direction of what is left in all of them. `lk.record_path` takes down the footprints during a training. Three optimizers set out from the **same** start and see the same rows. **Guess**: will their ways coincide? Will they end at the same place?

# %%
paths, losses = {}, {}
for name, lr in {"sgd": 0.2, "momentum": 0.02, "adamw": 0.002}.items():
    trainer = live.trainer(optimizer=name, lr=lr, epochs=10)
    paths[name] = lk.record_path(trainer)
    losses[name] = trainer.fit(paths[name]).history[-1].train_loss
print(tr("三种训练损失都低于 0.5：", "all three training losses below 0.5:"), max(losses.values()) < 0.5)

# %%
plane = lk.path_plane(*paths.values())
ways = [plane.follow(path, name) for name, path in paths.items()]
found = lk.slice_loss(trainer.model, corpus.train, plane, n=31)
lk.plots.slice_map(found, ways)

# %% [markdown] lang="zh"
# **读图**：三条路从白圈出发，颜色越深损失越低。SGD 和动量几乎走在同一条路上：学习率差十倍，动量又把步子攒大十倍，两下抵消（第 3 节）；它们都照坡的大小迈步。AdamW 一出门就拐向别处：它让每个参数迈差不多大的步子，许多坡小的参数也一起走，加起来就是另一个方向，路也长出一半。可是看颜色：终点的深浅相差无几。一样低的地方有很多，优化器决定你到的是哪一个（**理论 ⑨**）。图例里的“平面外”提醒你，路还有一部分在第三维以外，这里看不见。
#
# 这就是玩具山上的三份：梯度、动量、各自的步幅，在真模型上留下的样子。

# %% [markdown] lang="en"
# **Reading it**: the three ways start at the white circle, and darker is lower. SGD and momentum go almost the same way: one rate is a tenth of the other, the strides of momentum grow tenfold, and the two cancel (section 3); both step by the size of the slope. AdamW turns off at the door: it lets all parameters take strides of about the same length, so that the many whose slopes are small come along, which adds up to another direction, and a way half as long again. But look at the colour: where they end it is about equally dark. There are many places that are equally low, and the optimizer decides to which of them you come (**theory ⑨**). "Outside" in the legend is a reminder that part of a way lies beyond this plane and is not to be seen here.
#
# Here are the three parts from the toy mountains, gradient, momentum, a stride for each parameter, and the mark that they leave on a real model.

# %% [markdown] lang="zh"
# ## 12 拖着滑块训练
#
# 最后一块面板，把真模型的头交到你手上：拖动学习率、批大小、权重衰减、轮数，它就重练一遍，几十毫秒到零点几秒。灰线是上一个设置。试两件事：权重衰减拖到多大，才看得出训练损失变高；批大小从 16 变成 128，同样十轮，学到的多了还是少了。

# %% [markdown] lang="en"
# ## 12 Training by dragging
#
# The last panel puts the head of the real model in your hands: drag the rate, the batch size, the decay, the epochs, and it trains anew, in a fraction of a second. The grey lines are the last setting. Try two things: how far weight decay must go before the training loss is seen to rise; and whether with batches of 128 instead of 16, for the same ten epochs, more is learned or less.

# %%
panel = lk.ui.LiveHead(corpus, MODEL, config, lr=2e-3)
panel.run_button.click()
panel.wait()
panel.set(batch_size=128)
panel.wait()
panel

# %% [markdown] lang="zh"
# 旁边是同样的训练，写成代码。

# %% [markdown] lang="en"
# And beside it the same training in code.

# %%
run = live.trainer(lr=2e-3, batch_size=128, epochs=10).fit()
print(abs(run.history[-1].train_loss - panel.now.epochs[-1].train_loss) < 1e-5)
panel.report()

# %% [markdown] lang="zh"
# **读图**：批大小从 16 变成 128，十轮只剩 20 步，蓝线在半路就停了，没学完。这不是大批不好，是步数少了八倍；把轮数或学习率拖上去，再看一次。准确率旁边的区间别忘了看：60 行验证，每边十来个点，拖来拖去看到的小变化多半是运气。训练损失才是这块面板里可靠的尺子。权重衰减那一问，拿这把尺子自己去量：一格一格往右拖，看蓝线何时离开灰线。

# %% [markdown] lang="en"
# **Reading it**: with 128 instead of 16, ten epochs are only 20 steps, and the blue line stops half way, not done. That does not make large batches bad; there were eight times fewer steps. Drag the epochs or the rate up and look again. And mind the interval beside the accuracy: 60 validation rows, ten points and more to each side, so that small changes while you drag are mostly luck. The ruler to trust in this panel is the training loss. With it, find out about weight decay for yourself: drag it to the right mark by mark, and see when blue leaves grey.

# %% [markdown] lang="zh"
# ## 13 小结
#
# | | 一句话 | 你看见的 |
# |---|---|---|
# | ① | SGD 的一步是学习率乘梯度 | 手写循环与 torch 相同（1） |
# | ② | 最陡的定上限，最缓的定时间 | 0.95 最快，1.2 飞走（2）；动量放宽上限（3） |
# | ③ | 同向的攒起来，来回的抵消 | 冲下峡谷，冲过头，荡回来（3） |
# | ④ | 除以自己的大小，单位约掉 | 山高一千倍，Adam 路线不变（4、5） |
# | ⑤ | 没有处处最好的 | 换一座山，换一个冠军（6） |
# | ⑥ | 衰减要放在梯度外面 | Adam 两条线分开，AdamW 几乎重合（7） |
# | ⑦ | 记几样，多存几份 | 0、1、2（8） |
# | ⑧ | 换优化器就换刻度 | 差一百倍的三条线；重叠的区间（9） |
# | ⑨ | 头的谷宽，殊途，同样低 | 切片与三串脚印（10、11） |

# %% [markdown] lang="en"
# ## 13 In short
#
# | | in a sentence | what you saw |
# |---|---|---|
# | ① | a step of SGD is the rate times the slope | a loop by hand, equal to torch's (1) |
# | ② | the steepest sets the limit, the gentlest the time | 0.95 fastest, 1.2 gone (2); momentum widens the limit (3) |
# | ③ | what agrees adds up, what alternates cancels | down the ravine, too far, and back (3) |
# | ④ | divided by its own size, the unit cancels | a mountain a thousand times as high, the same way (4, 5) |
# | ⑤ | none is best everywhere | another mountain, another champion (6) |
# | ⑥ | decay belongs outside the gradient | Adam's two lines part, AdamW's nearly coincide (7) |
# | ⑦ | a copy for each thing remembered | 0, 1, 2 (8) |
# | ⑧ | another optimizer, another scale | three lines a hundred times apart; bars that overlap (9) |
# | ⑨ | a head's valley is wide; other ways, equally low | the slice, and three sets of footprints (10, 11) |

# %% [markdown] lang="zh"
# ## 三个问题
#
# 先在纸上答，再展开。
#
# **一**　同学把 AdamW（学习率 5e-4）换成 SGD，别的不动，三轮以后准确率还是五成，说：“SGD 不能微调 BERT。”你怎么回答？
#
# <details><summary>展开答案</summary>
#
# 他换了优化器，没换刻度（理论 ⑧）。AdamW 的 5e-4 意思是每个参数每步大约走 0.0005；SGD 的 5e-4 要乘上梯度，而梯度很小：在笔记 01 的模型上，每个参数的梯度（均方根）约千分之一，头也只有百分之一，实际的步子小了一百到上千倍。第 9 节的图里，SGD 的好学习率大约是 AdamW 的一百倍。请他从 0.1 附近找起，再用几个种子比。
#
# </details>

# %% [markdown] lang="zh"
# **二**　训练突然发散，损失变成 nan。有人说“把动量从 0.9 调到 0.99 就稳了”。从峡谷的实验想一想：他说对了多少？还有哪三种办法？
#
# <details><summary>展开答案</summary>
#
# 对了一点点。上限是 2 (1 + β) / 曲率，从 0.9 到 0.99 只放宽了不到百分之五；代价是同向的步子从十倍变成一百倍，荡得更久（第 3 节）。发散说明步幅超过了最陡方向的上限（理论 ②），该对付的是步幅：把学习率降下来；加热身，避开开头陡的地方；裁剪梯度，坡再陡步子也有上限。
#
# </details>

# %% [markdown] lang="zh"
# **三**　显存只够放权重的两份半。你想全量微调，又想用自适应的步幅。按理论 ⑦ 算一算，AdamW、动量、SGD 各要几份？有什么出路？
#
# <details><summary>展开答案</summary>
#
# 权重、梯度各一份，AdamW 再加两份，共四份；动量三份；SGD 两份，放得下，但没有各自的步幅。出路有两条：少训练一些参数（只训练头、顶部几层、LoRA），后三份按比例缩小，AdamW 就放得下了；或者换一种省着记的自适应方法，例如 Adafactor，它只记平方的行和与列和，面板之外的 `lk.optimizer("Adafactor", lr=...)` 就能在山上走走看。
#
# </details>

# %% [markdown] lang="en"
# ## Three questions
#
# Answer on paper first, then open.
#
# **One.** A fellow student puts SGD in place of AdamW (rate 5e-4), changes nothing else, has 50 % after three epochs and says: "SGD can't fine-tune BERT." What do you answer?
#
# <details><summary>Open the answer</summary>
#
# The optimizer was changed, and the scale was not (theory ⑧). AdamW's 5e-4 means that each parameter moves by about 0.0005 in a step; SGD's 5e-4 is multiplied by a slope, and slopes are small: on the model of notebook 01 about a thousandth a parameter (root mean square), a hundredth in the head, so that the steps are a hundred to a thousand times shorter. In the picture of section 9 a good rate for SGD is about a hundred times AdamW's. Begin the search near 0.1, and then compare over several seeds.
#
# </details>

# %% [markdown] lang="en"
# **Two.** A training diverges, and its loss is nan. Somebody says: "turn momentum from 0.9 up to 0.99, that makes it steady." Think of the experiment in the ravine: how far is that right? And which three remedies are there?
#
# <details><summary>Open the answer</summary>
#
# A little. The limit is 2 (1 + β) / curvature, and from 0.9 to 0.99 it widens by less than five per cent; the price is that strides that agree grow to a hundred times instead of ten, and swing for longer (section 3). Diverging means that the stride was beyond the limit of the steepest direction (theory ②), and the stride is what to mend: lower the rate; or warm up, to get past the steep beginning; or clip the gradient, so that a stride has an end however steep the slope.
#
# </details>

# %% [markdown] lang="en"
# **Three.** Memory holds two and a half times the weights. You want full fine-tuning, and for each parameter a stride of its own. By theory ⑦, how many copies do AdamW, momentum and SGD take? What can be done?
#
# <details><summary>Open the answer</summary>
#
# Weights and gradients are one copy each; AdamW adds two, which makes four, momentum makes three, and SGD two, which fits, but has one stride for all. There are two ways out. Train fewer parameters (head only, top layers, LoRA): the last three copies shrink with them, and AdamW fits. Or take an adaptive method that remembers sparingly, such as Adafactor, which keeps just the sums of squares by row and by column; `lk.optimizer("Adafactor", lr=...)` can be sent into the mountains, too.
#
# </details>

# %% [markdown] lang="zh"
# ## 接下来
#
# - **你自己的山**：`lk.trace(lk.optimizer("Adam", lr=0.1), lambda x, y: ...)`，用 torch 的运算写任何一个两元函数。
# - **你自己的模型**：`lk.compare_configs(lk.optimizer_grid(epochs=2), corpus)` 把四种优化器、三档学习率、有无热身全跑一遍。
# - **练习 04**：亲手写动量、Adam、AdamW，与 torch 对到百万分之一，再设计一个走得出峡谷的优化器。
# - **笔记 05**：训练循环，现场看：优化器每迈一步的前前后后。

# %% [markdown] lang="en"
# ## Where next
#
# - **A mountain of your own**: `lk.trace(lk.optimizer("Adam", lr=0.1), lambda x, y: ...)`, any function of two numbers written with torch's operations.
# - **A model of your own**: `lk.compare_configs(lk.optimizer_grid(epochs=2), corpus)` goes through four optimizers, three rates each, with warm-up and without.
# - **Exercises 04**: write momentum, Adam and AdamW to match torch to a millionth, and then design an optimizer that gets down the ravine.
# - **Notebook 05**: the training loop, live: all that happens around each step of the optimizer.
