/**
 * Pinyin initials of the Chinese product names, for the search: `lwg` finds 螺纹钢. A table and no library: there
 * are under a hundred products, and readings such as 长 or 重 need a person anyway. One that is missing is found
 * by its code and its name.
 */
const TABLE = `
a hddyh ad zzlhj ag by al l ao yhl AP pg au hj b hddeh bb jhb bc gjt br dexj bu sylq bz cb c hym CF mh CJ hz
cs ymdf cu t CY ms eb byx ec jyzsox eg yec fb xwb FG bl fu rly hc rzjb i tks IC zz500zs IF hs300zs
IH sz50zs IM zz1000zs j jt jd xjd jm jm JR jd l xxdmdjyx lc tsl lg ym lh sz lu dlrly m dp MA jc ni n
nr 20hj OI czy op jbysz p zly pb q pd b PF dx pg yhsyq PK hs PL bx PM pm pp jbx PR pp ps djg pt b
PX dejb rb lwg RI zxd RM czp rr jm RS ycz ru trxj SA cj sc yy SF gt SH sj si gyg SM mg sn x sp zj SR bt
ss bxg T 10nqgz TA jdbejs TF 5nqgz TL 30nqgz TS 2nqgz UR ns v jlyx WH qm wr xc y dy ZC dlm zn x
`
const words = TABLE.trim().split(/\s+/)
const INITIALS = new Map(
  Array.from({ length: words.length / 2 }, (_, at) => [words[2 * at]!, words[2 * at + 1]!]),
)

export function initialsOf(product: string): string {
  return INITIALS.get(product) ?? ''
}
