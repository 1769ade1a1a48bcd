package quickbooksbox

import (
	"slices"
	"strings"
)

// deletedSuffix is what QuickBooks adds to the name of what is made inactive,
// so that the name is free again.
const deletedSuffix = " (deleted)"

// checkCustomer completes a customer.
func checkCustomer(b *Box, o, before object) *problem {
	name := o.text("DisplayName")
	if name == "" {
		name = strings.TrimSpace(o.text("GivenName") + " " + o.text("FamilyName"))
	}
	switch {
	case name == "":
		return missingParam("DisplayName")
	case strings.ContainsAny(name, ":\t\n"):
		return business("The name must not contain a colon, tab or line break")
	case len(name) > 500:
		return tooLong("DisplayName")
	case len(o.text("Notes")) > 2000:
		return tooLong("Notes")
	}
	o["DisplayName"] = activeName(name, o, before)
	if p := b.currencyOf(o, before); p != nil {
		return p
	}
	if p := b.unique("Customer", "DisplayName", o, before); p != nil {
		return p
	}
	for _, taken := range b.opts.TakenNames {
		if strings.EqualFold(taken, o.text("DisplayName")) {
			return nameTaken("vendor")
		}
	}
	for _, name := range []string{"BillAddr", "ShipAddr"} {
		addr := o.inside(name)
		if addr == nil {
			continue
		}
		if c := addr.text("Country"); c != "" {
			addr["Country"] = isoCountry(c)
		}
		if addr.text("Id") == "" {
			addr["Id"] = b.state.newID()
		}
	}
	setDefault(o, "Active", true)
	o["FullyQualifiedName"] = o["DisplayName"]
	return nil
}

// activeName adds and takes away the suffix of inactive names.
func activeName(name string, o, before object) string {
	name = strings.TrimSuffix(name, deletedSuffix)
	if before != nil && !o.active() {
		return name + deletedSuffix
	}
	return name
}

// isoCountry writes a country as QuickBooks gives all of them back.
func isoCountry(c string) string {
	switch strings.ToLower(c) {
	case "us", "usa", "united states", "united states of america":
		return "USA"
	case "de", "deu", "germany":
		return "DEU"
	case "gb", "gbr", "uk", "united kingdom":
		return "GBR"
	}
	r := []rune(strings.ToUpper(c) + "XXX")
	return string(r[:3])
}

// checkItem completes an item.
func checkItem(b *Box, o, before object) *problem {
	switch {
	case o.text("Name") == "":
		return missingParam("Name")
	case len([]rune(o.text("Name"))) > 100:
		return tooLong("Name")
	case strings.Contains(o.text("Name"), ":"):
		return business("The name must not contain a colon")
	case len([]rune(o.text("Sku"))) > 100:
		return tooLong("Sku")
	}
	o["Name"] = activeName(o.text("Name"), o, before)
	if !slices.Contains([]string{"Service", "NonInventory", "Inventory"}, o.text("Type")) {
		return invalid("2170", "Invalid Enumeration", "Invalid Enumeration : "+o.text("Type"), "Type")
	}
	needed := []string{"IncomeAccountRef"}
	if o.text("Type") == "Inventory" {
		needed = append(needed, "ExpenseAccountRef", "AssetAccountRef")
	}
	for _, name := range needed {
		id := o.ref(name)
		if id == "" {
			return missingParam(name)
		}
		if _, ok := b.state.Objects["Account"][id]; !ok {
			return badReference("Accounts", id)
		}
	}
	if v, given := o["UnitPrice"]; given {
		if _, ok := amountOf(v); !ok {
			return unsupported("UnitPrice")
		}
	}
	if p := b.unique("Item", "Name", o, before); p != nil {
		return p
	}
	setDefault(o, "Active", true)
	o["FullyQualifiedName"] = o["Name"]
	return nil
}

// unique refuses a name that another object of the entity has, whatever its
// case.
func (b *Box) unique(entity, field string, o, before object) *problem {
	for id, other := range b.state.Objects[entity] {
		if before != nil && id == before.text("Id") {
			continue
		}
		if strings.EqualFold(other.text(field), o.text(field)) {
			return nameTaken(strings.ToLower(entity))
		}
	}
	return nil
}

func nameTaken(who string) *problem {
	return invalid("6240", "Duplicate Name Exists Error",
		"The name supplied already exists. : Another "+who+" is already using this name. Please use a different name.", "")
}

func tooLong(element string) *problem {
	return invalid("2050", "String length is either shorter or longer than supported by specification",
		"String length specified does not match the supported length for "+element, element)
}

// currencyOf gives an object its currency, which never changes.
func (b *Box) currencyOf(o, before object) *problem {
	c := o.ref("CurrencyRef")
	if c == "" {
		c = b.opts.Currency
	}
	if c != b.opts.Currency && !slices.Contains(b.opts.Currencies, c) {
		return business("The currency is not in use in this company")
	}
	if before != nil && before.ref("CurrencyRef") != c {
		return business("The currency can't be changed")
	}
	o["CurrencyRef"] = object{"value": c}
	return nil
}

func setDefault(o object, name string, v any) {
	if _, ok := o[name]; !ok {
		o[name] = v
	}
}
