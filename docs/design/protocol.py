"""Explicit-state model of the protocol in docs/design/protocol.md section 2: workers, collectors, two action kinds, replies lost and requests
that arrive late, refusals, the fence, a re-created name, an owner's keep, the stop. Any process may stop for ever at any point.

    python3 protocol.py          the quick runs of the rules as they are; exit code 1 if one violates a property
    python3 protocol.py NAME     one run; those of rules that were given up show the story of what goes wrong
"""
import sys, time
from collections import deque, namedtuple
C = namedtuple("C", "fence close ref keep fread workers colls refuse late owner keepc flips recreate stop expire maxlog uidpatch")
GOOD = dict(fence="nonce", close="proof", ref=True, keep="annot", fread="answer", workers=("del","del"), colls=2, refuse=0, late=0,
            owner=0, keepc=0, flips=1, recreate=0, stop="", expire=True, maxlog=9, uidpatch=True)
def cfg(**k): d=dict(GOOD); d.update(k); return C(**d)
RUNS = {
 # page as written, one aspect at a time
 "fence-task":   cfg(fence="task", colls=1),
 "fence-nonce":  cfg(colls=1),
 "late-any":     cfg(close="any", late=1, workers=("del",), colls=1),
 "late-proof":   cfg(late=1, workers=("del",), colls=1),
 "late-proof-2": cfg(late=1, workers=("del","del"), colls=1, maxlog=8),
 "refuse-noref": cfg(ref=False, refuse=1, colls=1, close="any"),
 "refuse-ref":   cfg(ref=True, refuse=1, colls=1, close="any"),
 "sleep-noref":  cfg(ref=False, workers=("del","sleep"), colls=1),
 "sleep-ref":    cfg(ref=True, workers=("del","sleep"), colls=2, maxlog=8),
 "keep-record":  cfg(keep="record", keepc=1, colls=1, flips=0),
 "keep-annot":   cfg(keep="annot", keepc=1, colls=1, flips=1, maxlog=8),
 "fread-read":   cfg(fread="read", workers=("del",), colls=1, flips=0),
 "fread-answer": cfg(workers=("del",), colls=2, flips=1),
 "recreate-nouid": cfg(recreate=1, uidpatch=False, workers=("del",), colls=1, flips=0),
 "recreate-uid": cfg(recreate=1, workers=("del","del"), colls=1, flips=1),
 "stop-check2":  cfg(stop="check2", colls=1, flips=0),
 "stop-dekker":  cfg(stop="dekker", colls=1, flips=0),
 "stop-dekker-task": cfg(stop="dekker", fence="task", colls=1, flips=0),
 "all-repaired": cfg(late=1, refuse=1, owner=1, keepc=1, recreate=1, flips=2, workers=("del",), colls=1, maxlog=7, stop="dekker"),
 "all-repaired-2": cfg(late=1, refuse=1, owner=1, flips=1, workers=("del","del"), colls=1, maxlog=7),
 "big": cfg(late=1, refuse=1, owner=1, flips=1, workers=("del","del"), colls=2, maxlog=8),
 "big-nofence2": cfg(late=1, refuse=1, owner=1, flips=1, workers=("del","del"), colls=2, maxlog=8, close="any"),
 "all-repaired-sleep": cfg(late=1, owner=1, flips=1, workers=("del","sleep"), colls=1, maxlog=7),
}
S = namedtuple("S", "alive rv prot fv other bad log procs fly dels budget bad_evt stop")
# log: ("st",x) ("int",kind,i,rv,expired) ("out",what,ref) ("kept",) ; budget=(owner,keep,flips,recreate,refuse,late)
def status(log):
    s="failed"
    for e in log:
        if e[0]=="st": s=e[1]
    return s
def opens(c,log):
    o=[]
    for n,e in enumerate(log):
        if e[0]=="int": o = o+[n] if c.ref else [n]
        if e[0]=="out": o = [x for x in o if x!=e[2]] if c.ref else []
    return o
def ended(log): return any(e[0]=="out" and e[1]=="done" and log[e[2]][1]=="del" for e in log)
def dec(b,k): return b[:k]+(b[k]-1,)+b[k+1:]
def put(p,i,v): return p[:i]+(v,)+p[i+1:]
def deliver(c,s,rv,n,i):
    if s.alive and s.rv==rv and not (s.stop=="vap"):
        return True, s._replace(alive=False, rv=s.rv+1, dels=s.dels+((n,s.prot,s.log,s.stop),))
    return False, s
def fence(c,s,tag):
    if s.alive:
        if c.fence=="task": tag="T"
        return s if s.fv==tag and c.fence=="task" else s._replace(rv=s.rv+1, fv=tag if c.fence=="task" else 0)
    if s.other and not c.uidpatch: return s._replace(bad_evt="fence PATCH hit the re-created namespace")
    return s
def steps(c,s):
    b=s.budget
    if b[0] and s.alive: yield "owner protects", s._replace(prot=True, rv=s.rv+1, budget=dec(b,0))
    if b[1]:
        if c.keep=="record": yield "owner keeps (record), acknowledged", s._replace(log=s.log+(("kept",),), budget=dec(b,1), bad_evt=s.bad_evt)
        elif s.alive: yield "owner keeps (annotation first), acknowledged", s._replace(prot=True, rv=s.rv+1, log=s.log+(("kept",),), budget=dec(b,1))
    if b[2]: yield "evidence flips", s._replace(bad=not s.bad, budget=dec(b,2))
    if b[3] and not s.alive: yield "name re-created", s._replace(other=True, budget=dec(b,3))
    if c.expire:
        for k,e in enumerate(s.log):
            if e[0]=="int" and not e[4]: yield f"intent {k} expires", s._replace(log=s.log[:k]+(e[:4]+(True,),)+s.log[k+1:])
    for k,(rv,n,i) in enumerate(s.fly):
        ok,t=deliver(c,s,rv,n,i); yield f"late DELETE of W{i} arrives ({'2xx' if ok else '409'})", t._replace(fly=s.fly[:k]+s.fly[k+1:])
    if c.stop and not s.stop: yield "stop is written", s._replace(stop="set")
    if c.stop=="check2" and s.stop=="set": yield "stop acknowledged", s._replace(stop="ack")
    if c.stop=="dekker" and s.stop=="set":
        t=s
        if opens(c,s.log): t=fence(c,s,"stop")
        yield "stop fenced open intents, acknowledged", t._replace(stop="ack")
    for i,p in enumerate(s.procs):
        k,pc=p[0],p[1]
        if k in ("del","sleep"):
            if pc=="load":
                if status(s.log)!="failed" or ended(s.log) or s.stop: continue
                if any(not s.log[n][4] for n in opens(c,s.log)): continue
                yield f"W{i}({k}) load", s._replace(procs=put(s.procs,i,(k,"read",len(s.log))))
            elif pc=="read":
                if not s.alive or s.prot or not s.bad or ("kept",) in s.log[:p[2]]: yield f"W{i} guard says no", s._replace(procs=put(s.procs,i,(k,"end")))
                else: yield f"W{i} read", s._replace(procs=put(s.procs,i,(k,"intent",p[2],s.rv)))
            elif pc=="intent":
                if len(s.log)!=p[2]: yield f"W{i} conflict", s._replace(procs=put(s.procs,i,(k,"load")))
                elif len(s.log)<c.maxlog: yield f"W{i} intent {k}", s._replace(log=s.log+(("int",k,i,p[3],False),), procs=put(s.procs,i,(k,"send",p[3],len(s.log))))
            elif pc=="send":
                rv,n=p[2],p[3]
                if k=="sleep":
                    for w in ("done","failed"): yield f"W{i} sleep {w}", s._replace(procs=put(s.procs,i,(k,"out",w,n)))
                    continue
                if c.stop=="dekker" and not (len(p)>4):
                    yield f"W{i} second look at the stop", s._replace(procs=put(s.procs,i,(k,"end") if s.stop else p+("go",))); continue
                ok,t=deliver(c,s,rv,n,i)
                yield f"W{i} DELETE {'2xx' if ok else '409/404'}", t._replace(procs=put(s.procs,i,(k,"out","done" if ok or not s.alive else "failed",n)))
                if b[4]: yield f"W{i} DELETE 403", s._replace(budget=dec(b,4), procs=put(s.procs,i,(k,"out","failed",n)))
                if b[5]: yield f"W{i} DELETE timed out, still under way", s._replace(budget=dec(b,5), fly=s.fly+((rv,n,i),), procs=put(s.procs,i,(k,"look",n)))
            elif pc=="look":
                n=p[2]
                if not s.alive: yield f"W{i} looks: gone", s._replace(procs=put(s.procs,i,(k,"out","done",n)))
                elif c.close=="any": yield f"W{i} looks: alive", s._replace(procs=put(s.procs,i,(k,"out","failed",n)))
                else: yield f"W{i} fences", fence(c,s,("w",n))._replace(procs=put(s.procs,i,(k,"out","failed",n)))
            elif pc=="out":
                w,n=p[2],p[3]
                o=opens(c,s.log)
                if n not in o: yield f"W{i} outcome known", s._replace(procs=put(s.procs,i,(k,"end")))
                elif len(s.log)<c.maxlog+2: yield f"W{i} outcome {w}", s._replace(log=s.log+(("out",w,n),), procs=put(s.procs,i,(k,"end")))
        else:
            if pc=="load":
                if ended(s.log): continue
                o=opens(c,s.log)
                if o:
                    if any(not s.log[n][4] for n in o): continue
                    yield f"C{i} sees expired intent {o[0]}", s._replace(procs=put(s.procs,i,("C","resolve",len(s.log),o[0])))
                elif status(s.log)=="failed" and not s.bad: yield f"C{i} good", s._replace(procs=put(s.procs,i,("C","append",len(s.log),("st","ok"))))
            elif pc=="resolve":
                h,n=p[2],p[3]
                if s.log[n][1]=="sleep": yield f"C{i} sleep unknown", s._replace(procs=put(s.procs,i,("C","append",h,("out","failed",n)))); continue
                if not s.alive: yield f"C{i} gone", s._replace(procs=put(s.procs,i,("C","append",h,("out","done",n))))
                else: yield f"C{i} reads alive", s._replace(procs=put(s.procs,i,("C","fence",h,n)))
            elif pc=="fence":
                h,n=p[2],p[3]; was=s.alive
                what="failed" if (was or c.fread=="read") else "done"
                t=fence(c,s,("c",i,n))
                yield f"C{i} fence PATCH ({'alive' if was else 'terminating'})", t._replace(procs=put(s.procs,i,("C","append",h,("out",what,n))))
            elif pc=="append":
                if len(s.log)!=p[2]: yield f"C{i} conflict", s._replace(procs=put(s.procs,i,("C","load")))
                elif len(s.log)<c.maxlog: yield f"C{i} append {p[3]}", s._replace(log=s.log+(p[3],), procs=put(s.procs,i,("C","load")))
def check(c,s):
    if s.bad_evt: return s.bad_evt
    if len(s.dels)>1: return "S2 two D"
    for (n,prot,log,stop) in s.dels:
        if prot: return "S5 deleted while protected/kept on the object"
        if stop=="ack": return "S13 D after the stop was acknowledged"
        if ("st","ok") in log[n:]: return "S4 D after recovery was recorded"
        if any(e==("out","failed",n) for e in log): return "S11 D after its intent was closed as failed"
        if ("kept",) in log: return "keep acknowledged, then deleted"
        if c.ref and any(e==("out","failed",n) for e in s.log): return "S11 accepted D recorded as ActionFailed"
def run(name):
    c=RUNS[name]; t0=time.time()
    procs=tuple((w,"load") for w in c.workers)+(("C","load"),)*c.colls
    init=S(True,1,False,None,False,True,(("st","failed"),),procs,(),(),(c.owner,c.keepc,c.flips,c.recreate,c.refuse,c.late),"","")
    seen={init:None}; q=deque([init]); kinds={}
    while q:
        s=q.popleft()
        for nm,t in steps(c,s):
            if t in seen: continue
            seen[t]=(s,nm); why=check(c,t)
            if why:
                if why not in kinds:
                    path,x=[],t
                    while seen[x]: path.append(seen[x][1]); x=seen[x][0]
                    kinds[why]=[0," -> ".join(reversed(path))]
                kinds[why][0]+=1; continue
            q.append(t)
        if len(seen)>2500000: print("   (cut at 2.5 M states)"); break
    print(f"{name}: {len(seen)} states, {sum(v[0] for v in kinds.values())} violating, {time.time()-t0:.0f} s")
    for k,v in kinds.items(): print(f"   {k} ({v[0]}): {v[1]}")
    return sum(v[0] for v in kinds.values())
QUICK = ("fence-nonce", "late-proof", "refuse-ref", "fread-answer", "stop-dekker")  # repaired: none may violate
if __name__=="__main__":
    names = sys.argv[1:] or QUICK
    wrong = [n for n in names if run(n) != 0 and n in QUICK]
    print(f"checked {len(names)} configurations; violating though repaired: {wrong or 'none'}")
    sys.exit(1 if wrong else 0)
