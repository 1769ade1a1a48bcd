package demo

import hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"

// The sample portal. Nothing in it is won yet.
var (
	companies = []hubspotbox.Company{
		{ID: "201", Name: "Harbor Coffee Roasters", Domain: "harborcoffee.example", Phone: "+1 503 555 0142", Street: "18 Pier Road", City: "Portland", State: "OR", Zip: "97209", Country: "US"},
		{ID: "202", Name: "Juniper Dental Group", Domain: "juniperdental.example", Phone: "+1 720 555 0199", Street: "4400 Alder St", City: "Denver", State: "CO", Zip: "80205", Country: "US"},
		{ID: "203", Name: "Northwind Cycles", Domain: "northwindcycles.example", Phone: "+1 612 555 0107", Street: "77 Mill Lane", City: "Minneapolis", State: "MN", Zip: "55401", Country: "US"},
	}
	contacts = []hubspotbox.Contact{
		{ID: "301", FirstName: "Mara", LastName: "Quinn", Email: "mara@harborcoffee.example", Company: "201"},
		{ID: "302", FirstName: "Leo", LastName: "Brandt", Email: "leo@juniperdental.example", Company: "202"},
		{ID: "303", FirstName: "Ines", LastName: "Okafor", Email: "ines@northwindcycles.example", Company: "203"},
	}
	products = []hubspotbox.Product{
		{ID: "401", Name: "Field Sensor", SKU: "FS-100", Price: "149.00", Description: "Temperature and humidity, battery for five years"},
		{ID: "402", Name: "Gateway", SKU: "GW-20", Price: "420.50", Description: "Connects up to 200 sensors"},
		{ID: "403", Name: "Onboarding day", SKU: "SV-ONB", Price: "980.00", Description: "One day of set-up on site"},
	}
	deals = []hubspotbox.Deal{
		{ID: "77", Name: "Harbor Coffee: roastery monitoring", Amount: "2590.50", CloseDate: "2026-11-20", Company: "201", Contact: "301", Lines: []hubspotbox.Line{
			{ID: "501", Product: "401", Name: "Field Sensor", SKU: "FS-100", Quantity: "8", Price: "149.00"},
			{ID: "502", Product: "402", Name: "Gateway", SKU: "GW-20", Quantity: "1", Price: "420.50"},
			{ID: "503", Product: "403", Name: "Onboarding day", SKU: "SV-ONB", Quantity: "1", Price: "978.00"},
		}},
		{ID: "78", Name: "Juniper Dental: two sites", Amount: "1780.00", CloseDate: "2026-11-21", Company: "202", Contact: "302", Lines: []hubspotbox.Line{
			{ID: "504", Product: "401", Name: "Field Sensor", SKU: "FS-100", Quantity: "6", Price: "140.00"},
			{ID: "505", Product: "403", Name: "Onboarding day", SKU: "SV-ONB", Quantity: "1", Price: "940.00"},
		}},
		{ID: "79", Name: "Northwind Cycles: warehouse", Amount: "5131.00", CloseDate: "2026-11-22", Company: "203", Contact: "303", Lines: []hubspotbox.Line{
			{ID: "506", Product: "401", Name: "Field Sensor", SKU: "FS-100", Quantity: "20", Price: "149.00"},
			{ID: "507", Product: "402", Name: "Gateway", SKU: "GW-20", Quantity: "2", Price: "420.50"},
			{ID: "508", Product: "403", Name: "Onboarding day", SKU: "SV-ONB", Quantity: "1", Price: "1310.00"},
		}},
	}
)
