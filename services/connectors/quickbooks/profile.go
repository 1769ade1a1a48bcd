package quickbooks

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// What a company is set up as is remembered, since reads are metered and people
// seldom close their books. A refusal that follows from it is worth another look:
// the person who mends the cause tries again at once, and is not to be told of a
// company that was.
const (
	profileLife = time.Hour
	refusalLife = 5 * time.Second
)

// profile is how the company is set up, as far as it decides on writes.
type profile struct {
	// closed is the last day of the closed books; "" closes nothing.
	closed string
	// home is the home currency, several whether there are others.
	home    string
	several bool
	// ownNumbers is true where sales forms take the numbers that they are
	// given, and have none otherwise.
	ownNumbers bool
	// automaticCredit is true where QuickBooks applies credits and payments to
	// invoices by itself.
	automaticCredit bool
}

// profiles reads the profile and remembers it.
type profiles struct {
	client *client
	now    func() time.Time

	mu    sync.Mutex
	known *profile
	read  time.Time
}

// get returns the profile as it was at most profileLife ago.
func (p *profiles) get(ctx context.Context) (*profile, error) {
	return p.within(ctx, profileLife)
}

// refusing returns the profile if it refuses something, by a word of at most
// refusalLife ago. It returns nil when it does not.
func (p *profiles) refusing(ctx context.Context, refuses func(*profile) bool) (*profile, error) {
	known, err := p.get(ctx)
	if err != nil || !refuses(known) {
		return nil, err
	}
	if known, err = p.within(ctx, refusalLife); err != nil || !refuses(known) {
		return nil, err
	}
	return known, nil
}

func (p *profiles) within(ctx context.Context, age time.Duration) (*profile, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if p.known != nil && now.Sub(p.read) < age {
		return p.known, nil
	}
	found, err := p.client.ask(ctx, &kind{name: "Preferences", title: "preferences"}, "SELECT * FROM Preferences")
	if err != nil {
		return nil, err
	}
	list := found.list("Preferences")
	if len(list) == 0 {
		return nil, unreadable(rest.Request{Op: Name + ": query preferences", Safe: true})
	}
	b := list[0]
	sales := b.inside("SalesFormsPrefs")
	p.known = &profile{
		closed:          b.inside("AccountingInfoPrefs").text("BookCloseDate"),
		home:            b.inside("CurrencyPrefs").ref("HomeCurrency"),
		several:         b.inside("CurrencyPrefs")["MultiCurrencyEnabled"] == true,
		ownNumbers:      sales["CustomTxnNumbers"] == true,
		automaticCredit: sales["AutoApplyCredit"] == true || sales["AutoApplyPayments"] == true,
	}
	p.read = now
	return p.known, nil
}

// forget reads anew next time: QuickBooks has just said something else.
func (p *profiles) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = nil
}

// open refuses a transaction whose dates lie in the closed books. QuickBooks
// would refuse it too, but only after a call for each try.
func (t *target) open(ctx context.Context, k *kind, op string, days ...string) error {
	if !k.transaction() {
		return nil
	}
	p, err := t.profiles.refusing(ctx, func(p *profile) bool {
		return slices.ContainsFunc(days, func(day string) bool { return day != "" && day <= p.closed })
	})
	if fault.Is(err, fault.Rejected) {
		return nil // who may not read the preferences may still write: QuickBooks judges
	}
	if err != nil || p == nil {
		return err
	}
	return fault.New(fault.Rejected, Name+": "+op, "the books are closed up to %s", p.closed).WithCode(codeClosed).
		WithField("TxnDate").WithHint(meanings("")[codeClosed].hint)
}

// payable refuses a currency that the company does not deal in.
func (t *target) payable(ctx context.Context, op string, want body) error {
	currency := want.ref("CurrencyRef")
	if currency == "" || currency == t.settings.HomeCurrency {
		return nil
	}
	p, err := t.profiles.refusing(ctx, func(p *profile) bool { return !p.several })
	if fault.Is(err, fault.Rejected) {
		return nil // see open
	}
	if err != nil || p == nil {
		return err
	}
	return fault.New(fault.Rejected, Name+": "+op, "the company deals in its home currency only").WithCode(codeBusiness).WithField("CurrencyRef").
		WithHint("turn on multicurrency in QuickBooks and add the currency, or keep such records from this connection with the flow's condition")
}

// Check implements connector.Target. It also compares what the settings say of
// the company with what the company says of itself.
func (t *target) Check(ctx context.Context) error {
	info, err := t.client.company(ctx)
	if err != nil {
		return err
	}
	p, err := t.profiles.get(ctx)
	if err != nil {
		return err
	}
	const op = Name + ": check company"
	american := iso3(info.text("Country")) == "USA"
	switch {
	case p.home != "" && p.home != t.settings.HomeCurrency:
		return fault.New(fault.Rejected, op, "the home currency is %s, the settings say %s", scrub(p.home), t.settings.HomeCurrency).
			WithField("home_currency").WithHint("set home_currency of the connection to the company's")
	case info.text("Country") != "" && american != t.settings.Tax.USAutomated:
		return fault.New(fault.Rejected, op, "the company is in %s, tax.us_automated is %t", scrub(info.text("Country")), !american).
			WithField("tax.us_automated").WithHint("set it to true for companies in the United States only, and tax.default_tax_code elsewhere")
	}
	if !p.ownNumbers {
		t.deps.Log.Warn("quickbooks: the company numbers its sales forms itself; turn on custom transaction numbers to have those of the flows",
			"connection", t.deps.Connection)
	}
	if p.automaticCredit {
		t.deps.Log.Warn("quickbooks: the company applies credits or payments by itself, which may leave nothing for those of the flows",
			"connection", t.deps.Connection)
	}
	return nil
}
